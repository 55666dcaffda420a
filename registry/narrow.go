package registry

import (
	"context"
	"io"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// narrowed is an origin with indexes that were made of its own.
type narrowed struct {
	origin
	n *layout.Narrower
}

// Fetch opens verified content.
func (n narrowed) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	return n.n.Fetch(ctx, d)
}

// Exists knows what was made.
func (n narrowed) Exists(ctx context.Context, d content.Descriptor) (bool, error) {
	if n.n.Made(d.Digest) != nil {
		return true, nil
	}
	return n.origin.Exists(ctx, d)
}

// narrow makes a new index of one that is not taken as a whole, if that is asked for.
func (p *pusher) narrow(ctx context.Context, d content.Descriptor) (content.Descriptor, error) {
	if !p.o.Narrow {
		return d, nil
	}
	src, ok := p.src.(narrowed)
	if !ok {
		src = narrowed{p.src, layout.NewNarrower(p.src, p.o.Platforms, p.src.Limits())}
		p.src = src
	}
	if d.MediaType == "" {
		var err error
		if d, err = src.locate(ctx, d.Digest); err != nil {
			return d, err
		}
	}
	d, news, err := src.n.Narrow(ctx, d)
	p.report.Narrowed = append(p.report.Narrowed, news...)
	return d, content.At(src.Path(), err)
}

// leave counts what refers to indexes that became others.
func (p *pusher) leave(ctx context.Context) error {
	for i := range p.report.Narrowed {
		it := &p.report.Narrowed[i]
		err := p.src.Referrers(ctx, content.Descriptor{Digest: it.Old}, "", func(found []content.Descriptor) error {
			it.Left += len(found)
			return nil
		})
		if err != nil {
			return content.At(p.src.Path(), err)
		}
		signed, err := p.src.signed(ctx, it.Old)
		if err != nil {
			return content.At(p.src.Path(), err)
		}
		it.Left += len(signed)
	}
	return nil
}
