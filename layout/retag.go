package layout

import (
	"context"
	"errors"
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// TagOptions say what becomes of a name that is there. The zero value moves it.
type TagOptions struct {
	Policy Policy
	// Keep leaves what a name pointed to as an untagged entry, so that gc keeps it.
	Keep bool
}

// TagNames gives more names to what ref means, all in one transaction, and says
// what became of each. ref.Layout is not looked at.
func (l *Layout) TagNames(ctx context.Context, ref Reference, names []string, o TagOptions) ([]Change, error) {
	var changes []Change
	err := l.Update(ctx, func(tx *Tx) error {
		changes = nil
		e, err := l.tagTarget(ctx, tx, ref)
		if err != nil {
			return content.At(l.path, err)
		}
		for _, name := range names {
			change, err := tx.retag(e, name, o)
			if err != nil {
				return content.At(l.path, err)
			}
			changes = append(changes, change)
		}
		return nil
	})
	return changes, err
}

// tagTarget finds what is to be named: an entry, or a manifest that none names.
func (l *Layout) tagTarget(ctx context.Context, tx *Tx, ref Reference) (Entry, error) {
	e, err := tx.Lookup(ref)
	switch {
	case err == nil && e.Digest != "":
		return l.withPlatform(ctx, e), nil
	case err != nil && (ref.Name != "" || !errors.Is(err, content.ErrNotFound)):
		return e, err
	}
	desc, err := l.describeBlob(ctx, ref.Digest)
	if err != nil {
		return e, err
	}
	if !content.HasEdges(desc.MediaType) {
		return e, content.AtDigest(ref.Digest, content.Errorf(content.ErrInvalid, "only a manifest or index can have a name"))
	}
	return l.newEntry(ctx, desc)
}

// withPlatform returns e with its image's platform, where another tool has left it out
// and the config says which. Not knowing is no reason to fail.
func (l *Layout) withPlatform(ctx context.Context, e Entry) Entry {
	if e.Platform != nil || !e.IsImage() || content.IsIndex(e.MediaType) {
		return e
	}
	p, err := content.PlatformOf(ctx, l, e.Descriptor, l.Limits())
	if err != nil {
		return e
	}
	return e.platformed(p)
}

// newEntry makes an entry of a manifest or index of the layout.
func (l *Layout) newEntry(ctx context.Context, desc content.Descriptor) (Entry, error) {
	e := NewEntry(desc)
	if content.IsIndex(desc.MediaType) {
		return e, nil
	}
	p, err := content.PlatformOf(ctx, l, desc, l.Limits())
	if err != nil {
		return e, err
	}
	return e.platformed(p), nil
}

// retag is Tag, with what had the name kept if o says so.
func (tx *Tx) retag(e Entry, name string, o TagOptions) (Change, error) {
	var old []Entry
	if o.Keep {
		for _, i := range tx.called(e.WithName(name).Name()) {
			had, err := tx.at(i)
			if err != nil {
				return Change{}, err
			}
			old = append(old, had)
		}
	}
	change, err := tx.Tag(e, name, o.Policy)
	if err != nil || !change.Moved() {
		return change, err
	}
	for _, had := range old {
		if err := tx.Add(had.WithName("")); err != nil {
			return change, err
		}
	}
	return change, nil
}

// UntagOptions say what becomes of the content whose names go. With the zero value
// the next gc takes what no other entry reaches.
type UntagOptions struct {
	// Keep leaves it as an untagged entry, so that gc keeps it.
	Keep bool
	// WithReferrers takes out what refers to content that loses its last entry, at any
	// depth, with lists of referrers and the entries that cosign made; else gc keeps
	// the content as long as they are there. It can't be had with Keep.
	WithReferrers bool
}

// Untag takes away the names that refs mean, in one transaction, and says which: of a
// reference with a digest alone every name of it. With referrers, theirs follow; an
// untagged one is called "". A reference to nothing is ErrNotFound, and then no name
// goes.
func (l *Layout) Untag(ctx context.Context, refs []Reference, o UntagOptions) ([]Change, error) {
	if o.Keep && o.WithReferrers {
		return nil, content.Errorf(content.ErrInvalid, "what is kept keeps its referrers")
	}
	var changes []Change
	err := l.Update(ctx, func(tx *Tx) error {
		changes = nil
		var gone []Entry
		for _, ref := range refs {
			entries, err := tx.untag(ref, o.Keep)
			if err != nil {
				return content.At(l.path, err)
			}
			gone = append(gone, entries...)
		}
		if o.WithReferrers {
			followers, _, err := l.dropReferrers(ctx, tx, gone)
			if err != nil {
				return content.At(l.path, err)
			}
			gone = append(gone, followers...)
		}
		for _, e := range gone {
			changes = append(changes, Change{Name: e.Name(), Old: e.Digest})
		}
		return nil
	})
	return changes, err
}

// losing lists the entries that lose their name where ref, which means e, is
// untagged: of a digest alone those that have a name, else those called as e is.
func (tx *Tx) losing(ref Reference, e Entry) ([]int, error) {
	if ref.Digest == "" {
		return tx.called(e.summary().holder()), nil
	}
	found, err := tx.withDigest(ref.Digest)
	return slices.DeleteFunc(found, func(i int) bool {
		s, _ := tx.live(i)
		return s.Name == "" || ref.Name != "" && s.holder() != e.summary().holder()
	}), err
}

func (tx *Tx) untag(ref Reference, keep bool) ([]Entry, error) {
	if ref.Name == "" && ref.Digest == "" {
		return nil, content.Errorf(content.ErrInvalid, "say which name goes")
	}
	e, err := tx.Lookup(ref)
	if err != nil {
		return nil, err
	}
	losing, err := tx.losing(ref, e)
	if err != nil {
		return nil, err
	}
	gone, err := tx.drop(losing)
	if err == nil && len(gone) == 0 {
		err = content.Errorf(content.ErrNotFound, "%s has no name", ref.Digest)
	}
	if err != nil {
		return nil, err
	}
	for _, x := range gone {
		if !keep {
			break
		}
		if err := tx.Add(x.WithName("")); err != nil {
			return nil, err
		}
	}
	return gone, nil
}
