package mutate

import (
	"context"
	"errors"
	"os"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// IndexOptions say what an index is made of. The zero value takes all images of the
// sources, with what refers to them.
type IndexOptions struct {
	// Platforms are the only ones taken out of indexes; none is all.
	Platforms []content.Platform
	// Nested puts an index that is a source into the new one as it is, where otherwise
	// the images in it are taken.
	Nested bool
	// DropAttestations leaves out what BuildKit attests of the images.
	DropAttestations bool
	// NoReferrers leaves behind what refers to images of other layouts.
	NoReferrers bool
	// ArtifactType, Annotations and Subject are those of a new index; Subject must be
	// in the layout, and gets the index as a referrer.
	ArtifactType string
	Annotations  map[string]string
	Subject      *content.Descriptor
	// Policy says what becomes of a name that other content has.
	Policy layout.Policy
}

// An IndexReport says what was made, and of what.
type IndexReport struct {
	layout.Change
	Images       []IndexedImage `json:"images"`       // all that are in the index
	Attestations int            `json:"attestations"` // that are in it beside them
	Referrers    int            `json:"referrers"`    // that came along from other layouts
	// Left is how many referrers the index that was there before keeps: they do not
	// follow to the new one.
	Left int `json:"referrersLeft"`
	layout.CopyReport
}

// An IndexedImage is a child of an index: an image, or a nested index, which has no
// platform.
type IndexedImage struct {
	Platform string         `json:"platform,omitempty"`
	Digest   content.Digest `json:"digest"`
}

// CreateIndex makes an OCI index of images and names it. A source that is an image gets
// the platform that its config says; of one that is an index the images are taken, their
// descriptors as they are and with the attestations that BuildKit put beside them. The
// order is that of the sources, and the same sources give the same digest.
//
// What lies in another layout is copied, with its referrers and cosign's tags. An image
// that comes twice is taken once. Two images for one platform, one under two platforms,
// and one that a descriptor says to be for another machine than its config does, are
// ErrRefused, before anything is written; what is no image is ErrInvalid. If it fails,
// names and referrers are as before.
func CreateIndex(ctx context.Context, dst *layout.Layout, name string, sources []layout.Source, o IndexOptions) (IndexReport, error) {
	if err := layout.CheckName(name); err != nil {
		return IndexReport{}, err
	}
	x := newIndexMaker(dst, o)
	err := x.takeAll(ctx, sources)
	if err == nil {
		err = x.make(ctx, x.fresh, indexTarget{name: name, policy: o.Policy})
	}
	return x.report, errors.Join(err, x.batch.Close())
}

// An IndexTarget says what an index that was made from another is called: one of both.
type IndexTarget struct {
	// Tag is a name for it.
	Tag string
	// Replace gives it the name of the one that it was made from. If that name has moved
	// meanwhile it is ErrConflict.
	Replace bool
	// Policy says what becomes of other content that has the name Tag.
	Policy layout.Policy
}

// AddToIndex makes an index that has more images than the one that ref means, as
// CreateIndex takes them: behind those that are there, which keep their bytes, as do all
// fields of the index that are not about its children. A docker manifest list stays one;
// OCI images in it are ErrUnsupported. Of o, what is said of a new index is not looked at.
func AddToIndex(ctx context.Context, dst *layout.Layout, ref layout.Reference, sources []layout.Source, target IndexTarget, o IndexOptions) (IndexReport, error) {
	x := newIndexMaker(dst, o)
	old, to, err := x.openIndex(ctx, ref, target)
	if err == nil {
		err = x.takeAll(ctx, sources)
	}
	if err == nil {
		err = x.make(ctx, func() ([]byte, string, error) { return old.with(x.members) }, to)
	}
	return x.report, errors.Join(err, x.batch.Close())
}

// IndexRemoval says which children go out of an index: those for a platform, and those
// with a digest.
type IndexRemoval struct {
	Platforms []content.Platform
	Digests   []content.Digest
}

// RemoveFromIndex makes an index that has fewer images than the one that ref means, and
// not what BuildKit attests of them. The others keep their bytes, as do all fields of
// the index that are not about its children. What fits nothing in it is ErrNotFound.
func RemoveFromIndex(ctx context.Context, dst *layout.Layout, ref layout.Reference, gone IndexRemoval, target IndexTarget) (IndexReport, error) {
	x := newIndexMaker(dst, IndexOptions{})
	old, to, err := x.openIndex(ctx, ref, target)
	if err == nil {
		x.members, err = gone.from(x.members)
	}
	if err == nil {
		err = x.make(ctx, func() ([]byte, string, error) { return old.with(x.members) }, to)
	}
	return x.report, errors.Join(err, x.batch.Close())
}

// sameLayout says whether a reader is of the layout itself, so that nothing need be
// copied.
func sameLayout(dst *layout.Layout, r *layout.Reader) bool {
	a, err := os.Stat(dst.Path())
	if err != nil {
		return false
	}
	b, err := os.Stat(r.Path())
	return err == nil && os.SameFile(a, b)
}
