package layout

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
)

// A Layout is an oras.GraphTarget and a registry.ReferrerLister of oras-go by its
// methods' form: Push, Fetch, Exists, Resolve, Tag, Predecessors and Referrers.

// Tag gives desc, which is in the layout, a name; whatever has that name loses it.
// With its own digest as the name it becomes an untagged entry, if it has none. It
// has the form of oras-go's content.Tagger. TagNames does more.
func (l *Layout) Tag(ctx context.Context, desc content.Descriptor, reference string) error {
	there, err := l.Exists(ctx, desc)
	if err != nil {
		return err
	}
	if !there {
		return content.At(l.path, content.AtDigest(desc.Digest, content.Errorf(content.ErrNotFound, "no such blob")))
	}
	e := NewEntry(desc)
	if content.HasEdges(desc.MediaType) {
		if e, err = l.newEntry(ctx, desc); err != nil {
			return err
		}
	}
	return l.Update(ctx, func(tx *Tx) error {
		if reference == desc.Digest.String() {
			have, err := tx.ByDigest(desc.Digest)
			if err != nil || len(have) > 0 {
				return err
			}
			return tx.Add(e.WithName(""))
		}
		_, err := tx.Tag(e, reference, Overwrite)
		return content.At(l.path, err)
	})
}

// listPushed puts a manifest that was pushed on the list of its subject's referrers.
func (l *Layout) listPushed(ctx context.Context, desc content.Descriptor) error {
	if !content.HasEdges(desc.MediaType) {
		return nil
	}
	m, _, err := content.FetchManifest(ctx, l, desc, l.Limits())
	if errors.Is(err, content.ErrCorrupt) || errors.Is(err, content.ErrRefused) {
		return nil // the blob is what was asked for, whatever it is
	}
	if err != nil || m.Subject == nil {
		return err
	}
	return l.Update(ctx, func(tx *Tx) error { return tx.list(m.Subject.Digest, asReferrer(desc, m)) })
}
