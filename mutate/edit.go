package mutate

import "context"

// An Edit is one change and the nodes it is for.
type Edit struct {
	On     Selector
	Change Change
}

// A Change is applied to each selected image, in the order of the edits, before
// any layer is read. It changes the fields of the Image, and queues work on layers
// with [Layer.Do] and [Layer.Recompress]. It is called for one image after the
// other and may keep what it worked out for the next one, but no reference to im.
// Its errors name what is wrong, not the image: that is added.
type Change interface {
	Image(ctx context.Context, im *Image) error
}

// An IndexChange is a Change that can also change an index. It is called for an
// index after its children, and only where the selector has the index.
type IndexChange interface {
	Change
	Index(ctx context.Context, ix *Index) error
}

// ImageFunc is a function as a Change.
type ImageFunc func(ctx context.Context, im *Image) error

// Image calls f.
func (f ImageFunc) Image(ctx context.Context, im *Image) error { return f(ctx, im) }
