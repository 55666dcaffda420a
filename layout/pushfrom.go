package layout

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
)

// PushFrom stages want from a store: as PushFile from a layout in a directory, as
// Push from another one. What src does not have is ErrNotFound.
func (b *Batch) PushFrom(ctx context.Context, src content.Fetcher, want content.Descriptor) error {
	c := copier{b: b, src: src}
	return c.push(ctx, content.Node{Descriptor: want})
}
