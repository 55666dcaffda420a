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
	// Was is what had that name before, or the place in index.json; "" if nothing had.
	Was content.Digest `json:"was,omitempty"`
	// Left counts referrers of the old image, and of images in it that changed: they
	// stay behind, since they speak of it alone.
	Left int `json:"referrersLeft"`
	// Listed counts referrers that are new: see [ToReferrers]; or the result is one.
	Listed int `json:"referrersListed,omitempty"`
}

// Save makes what Apply staged durable and puts the result into index.json, in one
// step: after a failure the names are as before. It may be called once for a report.
func Save(ctx context.Context, l *layout.Layout, b *layout.Batch, r *Report, o SaveOptions) (Saved, error) {
	s := Saved{Report: r, Listed: len(r.Referrers)}
	if err := b.Publish(ctx); err != nil {
		return s, err
	}
	var err error
	if s.Left, err = r.behind(ctx, l); err != nil {
		return s, err
	}
	return s, l.Update(ctx, func(tx *layout.Tx) error {
		change, err := r.name(tx, o)
		if err != nil {
			return err
		}
		s.Name, s.Was = change.Name, change.Old
		for _, ref := range r.Referrers {
			if err := tx.AddReferrer(ctx, b, ref.Subject, ref.Artifact); err != nil {
				return err
			}
		}
		return nil
	})
}

// behind counts the referrers of what changed. Attestations of BuildKit are children of
// the index, and come along.
func (r *Report) behind(ctx context.Context, l *layout.Layout) (int, error) {
	if r.New == r.Old {
		return 0, nil
	}
	subjects := []content.Digest{r.Old}
	for _, im := range r.Images {
		subjects = append(subjects, im.Old)
	}
	seen := map[content.Digest]bool{}
	for _, d := range subjects {
		found, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: d}, Legacy: true})
		if err != nil {
			return 0, err
		}
		for _, one := range found {
			if one.Origin != layout.OriginBuildKit {
				seen[one.Digest] = true
			}
		}
	}
	return len(seen), nil
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
