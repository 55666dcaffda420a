package sync

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// transfer copies images of a layout to a layout: in one go those that keep their names,
// each other one by itself.
func (r *runner) transfer(ctx context.Context, ob *observer, dst *layout.Layout, steps []*Step) error {
	o := layout.TransferOptions{CopyOptions: layout.CopyOptions{Platforms: steps[0].Entry.platforms}, NoReferrers: steps[0].Entry.alone(), Belongings: steps[0].Entry.along()}
	moved := map[content.Digest]int64{}
	o.Copied = func(d content.Descriptor) { moved[d.Digest] = d.Size }
	var together []layout.Source
	for _, s := range steps {
		shelf, err := ob.shelf(ctx, s.Source.Layout)
		if err != nil {
			return err
		}
		src := layout.Source{Reader: shelf.reader, Ref: layout.Reference{Digest: s.From.wanted()}}
		if s.Source.Digest == "" && s.From.Child == "" {
			name, _, err := shelf.find(s.Source)
			if err != nil {
				return err
			}
			src.Ref.Name = name
			if key(name) == key(s.Target.Name) && len(o.Platforms) == 0 {
				together = append(together, src)
				continue
			}
		}
		o := o
		o.Name = s.Target.Name
		if o.Platforms, err = inImage(ctx, shelf.reader, s.From, o.Platforms); err != nil {
			return content.At(s.Source.String(), err)
		}
		if err := r.transferred(layout.Transfer(ctx, dst, []layout.Source{src}, o)); err != nil {
			return err
		}
	}
	if len(together) > 0 {
		if err := r.transferred(layout.Transfer(ctx, dst, together, o)); err != nil {
			return err
		}
	}
	return share(ctx, dst, steps, moved)
}

// share says of each step what moved for it.
func share(ctx context.Context, dst *layout.Layout, steps []*Step, moved map[content.Digest]int64) error {
	var roots []content.Descriptor
	for _, s := range steps {
		root, err := dst.Locate(ctx, layout.Reference{Digest: s.From.wanted()})
		if err != nil {
			return err
		}
		roots = append(roots, root)
	}
	shares, err := layout.Shares(ctx, dst, roots, moved, dst.Limits())
	for i := range shares {
		steps[i].Bytes = shares[i]
	}
	return err
}

// inImage leaves of platforms those that an image has: as from a registry, it may lack
// some of them.
func inImage(ctx context.Context, r *layout.Reader, image Seen, platforms []content.Platform) ([]content.Platform, error) {
	if len(platforms) == 0 {
		return nil, nil
	}
	d, err := r.Locate(ctx, layout.Reference{Digest: image.wanted()})
	if err != nil {
		return nil, err
	}
	var there []content.Platform
	for _, p := range platforms {
		_, err = content.SelectPlatform(ctx, r, d, p, r.Limits())
		switch {
		case err == nil:
			there = append(there, p)
		case !errors.Is(err, content.ErrNotFound):
			return nil, err
		}
	}
	if len(there) == 0 {
		return nil, err
	}
	return there, nil
}

func (r *runner) transferred(done layout.TransferReport, err error) error {
	if err == nil {
		r.report.moved(done.Blobs, done.Bytes, done.Referrers)
	}
	return err
}
