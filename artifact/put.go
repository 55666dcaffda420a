package artifact

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Stored is an artifact that has an entry of its own.
type Stored struct {
	content.Descriptor
	layout.Change
}

// Put stores an artifact under a name, or with name "" as an untagged entry, in one
// transaction. p says what becomes of a name that other content has. If o has a
// subject the artifact is attached to it as well.
func Put(ctx context.Context, l *layout.Layout, name string, o Options, p layout.Policy) (stored Stored, err error) {
	if name != "" {
		if err := layout.CheckName(name); err != nil {
			return Stored{}, err
		}
	}
	b := l.Batch()
	defer func() { err = errors.Join(err, b.Close()) }()
	if o.Subject != nil {
		if err := checkSubject(ctx, b, *o.Subject); err != nil {
			return Stored{}, err
		}
	}
	if stored.Descriptor, err = Build(ctx, b, o); err != nil {
		return Stored{}, err
	}
	if err := b.Publish(ctx); err != nil {
		return Stored{}, err
	}
	entry := layout.NewEntry(content.Descriptor{
		MediaType: stored.MediaType, Digest: stored.Digest, Size: stored.Size, ArtifactType: stored.ArtifactType,
	})
	err = l.Update(ctx, func(tx *layout.Tx) (err error) {
		if o.Subject != nil {
			if err := tx.AddReferrer(ctx, b, *o.Subject, stored.Descriptor); err != nil {
				return err
			}
		}
		if name == "" {
			stored.Change = layout.Change{New: entry.Digest}
			return tx.Add(entry)
		}
		stored.Change, err = tx.Tag(entry, name, p)
		return err
	})
	return stored, content.At(l.Path(), err)
}
