package layout

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// Locate finds what ref means, as Lookup does, for who needs no more than digest,
// size and media type. Where the catalog is up to date, a digest or an exact name of a
// manifest is found without reading index.json.
func (r *Reader) Locate(ctx context.Context, ref Reference) (content.Descriptor, error) {
	if d, ok := r.locate(ref); ok {
		return d, nil
	}
	e, err := r.Lookup(ctx, ref)
	return content.Descriptor{MediaType: e.MediaType, Digest: e.Digest, Size: e.Size}, err
}

// locate asks the catalog; ok is false where that does not know.
func (r *Reader) locate(ref Reference) (d content.Descriptor, ok bool) {
	if r.archive || ref.Name == "" && content.CheckDigest(ref.Digest) != nil {
		return d, false
	}
	state, err := r.state()
	if err != nil {
		return d, false
	}
	snap, err := r.catalog().Open(state, false)
	if err != nil {
		return d, false
	}
	defer snap.Close()
	if ref.Name == "" {
		found, known, err := snap.Manifest(ref.Digest)
		return found.Descriptor(), known && err == nil
	}
	named, err := snap.Claims(catalog.Named, ref.Name)
	if err != nil || len(named) != 1 || named[0].MediaType == "" {
		return d, false
	}
	return named[0].Descriptor(), ref.Digest == "" || ref.Digest == named[0].Digest
}
