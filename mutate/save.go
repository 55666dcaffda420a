package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// SaveOptions say what the result is called.
type SaveOptions struct {
	// Name is the result's; its entry has the annotations of the old one but for names.
	// "" replaces the old entry in its place, with its names, or is a new untagged
	// entry if the reference had none.
	Name   string
	Policy layout.Policy
}

// Saved says what Save did.
type Saved struct {
	*Report
	// Name is what the result is called now, "" if it has none.
	Name string `json:"name,omitempty"`
	// Skipped says that the name has other content and, as the policy is, kept it.
	Skipped bool `json:"skipped,omitempty"`
	// Left counts referrers of what changed, the index or an image in it, that stay
	// behind: they speak of what was.
	Left int `json:"referrersLeft"`
}

// Save makes what Apply staged durable and puts the result into index.json, in one
// step: after a failure the names are as before. It may be called once for a report.
func Save(ctx context.Context, l *layout.Layout, b *layout.Batch, r *Report, o SaveOptions) (Saved, error) {
	s := Saved{Report: r}
	if err := b.Publish(ctx); err != nil {
		return s, err
	}
	var err error
	if s.Left, err = r.left(ctx, l); err != nil {
		return s, err
	}
	return s, l.Update(ctx, func(tx *layout.Tx) error {
		change, err := r.name(tx, o)
		if err != nil {
			return err
		}
		s.Name, s.Skipped = change.Name, change.Skipped
		for _, ref := range r.Referrers {
			if err := tx.AddReferrer(ctx, b, ref.Subject, ref.Artifact); err != nil {
				return err
			}
		}
		return nil
	})
}

// left counts what refers to what changed. BuildKit's attestations are children of the
// index and stay in it.
func (r *Report) left(ctx context.Context, l *layout.Layout) (int, error) {
	old := map[content.Digest]bool{}
	if r.New != r.Old {
		old[r.Old] = true
	}
	for _, im := range r.Images {
		old[im.Old] = true
	}
	behind := map[content.Digest]bool{}
	for d := range old {
		list, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: d}, Legacy: true})
		if err != nil {
			return 0, err
		}
		for _, ref := range list {
			if ref.Origin != layout.OriginBuildKit {
				behind[ref.Digest] = true
			}
		}
	}
	return len(behind), nil
}

// name gives the result its place in index.json.
func (r *Report) name(tx *layout.Tx, o SaveOptions) (layout.Change, error) {
	if o.Name != "" {
		return tx.Tag(r.Entry, o.Name, o.Policy)
	}
	if name := r.Entry.Name(); name != "" {
		old, err := tx.Resolve(name)
		if err != nil {
			return layout.Change{}, err
		}
		if old.Digest != r.Old {
			return layout.Change{}, content.Errorf(content.ErrConflict, "%s was %s and has become %s meanwhile", name, r.Old, old.Digest)
		}
		return tx.Bring(r.Entry, layout.Overwrite)
	}
	_, err := tx.Remove(func(e layout.Entry) bool { return e.Digest == r.Old && e.Name() == "" })
	if err != nil {
		return layout.Change{}, err
	}
	return layout.Change{Old: r.Old, New: r.New}, tx.Add(r.Entry)
}
