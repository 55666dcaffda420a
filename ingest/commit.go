package ingest

import (
	"bytes"
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// publish makes the blobs that are wanted durable under their digests, and drops
// the others.
func (im *importer) publish(ctx context.Context) error {
	for d, m := range im.blobs {
		size, wanted := im.want[d]
		switch {
		case !wanted && m.data == nil:
			if err := im.batch.Drop(d); err != nil {
				return err
			}
		case wanted && m.data != nil:
			want := content.Descriptor{Digest: d, Size: size}
			if err := im.batch.Push(ctx, want, bytes.NewReader(m.data)); err != nil {
				return err
			}
		}
	}
	if im.disk != nil {
		if err := im.stageDisk(ctx); err != nil {
			return content.At(im.source, err)
		}
	}
	return im.batch.Publish(ctx)
}

// commit puts the roots of one archive into index.json, as a part of an update.
func (im *importer) commit(ctx context.Context, tx *layout.Tx) (Result, error) {
	result := Result{Images: []Image{}, Changes: []layout.Change{}, Absent: im.absent, NotTaken: im.left, Dropped: im.dropped}
	for _, r := range im.roots {
		if r.gone {
			continue
		}
		if err := im.list(ctx, tx, r); err != nil {
			return result, err
		}
		if r.listed != nil || r.subject != "" && !r.extra {
			continue
		}
		if err := im.enter(tx, r, &result); err != nil {
			return result, err
		}
	}
	result.Referrers = countReferrers(im.roots)
	result.Blobs = len(im.want)
	for _, size := range im.want {
		result.Bytes += size
	}
	return result, nil
}

// enter puts one root into index.json.
func (im *importer) enter(tx *layout.Tx, r root, result *Result) error {
	e := r.entry()
	image := Image{Name: r.name, Digest: e.Digest, MediaType: e.MediaType, Size: e.Size}
	if e.Platform != nil {
		image.Platform = content.FormatPlatform(*e.Platform)
	}
	change, err := im.bring(tx, r, e)
	if err != nil {
		return err
	}
	if r.name != "" {
		image.Name = change.Name
		result.Changes = append(result.Changes, change)
	}
	result.Images = append(result.Images, image)
	return nil
}

// bring adds or replaces an entry. One that comes from an index.json keeps its
// annotations, unless it was to be renamed. An image without a name that was made
// here needs no entry if its manifest has one already.
func (im *importer) bring(tx *layout.Tx, r root, e layout.Entry) (layout.Change, error) {
	switch {
	case r.asIs && r.name == e.Name():
		return tx.Bring(e, im.o.Policy)
	case r.name != "":
		return tx.Tag(e, r.name, im.o.Policy)
	}
	there, err := tx.ByDigest(e.Digest)
	if err != nil || len(there) > 0 {
		return layout.Change{}, err
	}
	return layout.Change{}, tx.Add(e)
}
