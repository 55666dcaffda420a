package export

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// isNarrowable says whether Platforms say something about a root.
func (r Root) isNarrowable() bool {
	return r.Entry.IsImage() && (r.Entry.MediaType == "" || content.HasEdges(r.Entry.MediaType))
}

// narrow points a root that is an image to the manifest of the one platform that is
// wanted.
func (p *plan) narrow(ctx context.Context, r Root) (Root, error) {
	if len(p.o.Platforms) != 1 || !r.isNarrowable() {
		return r, nil
	}
	d, err := selectPlatform(ctx, r, p.o.Platforms[0], p.o.Limits)
	if err != nil {
		return r, err
	}
	if d.Digest != r.Entry.Digest {
		r.Entry = r.Entry.WithContent(content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, Platform: d.Platform})
	}
	return r, nil
}

func selectPlatform(ctx context.Context, r Root, want content.Platform, limits content.Limits) (content.Descriptor, error) {
	d, err := content.SelectPlatform(ctx, r.Source, r.Entry.Descriptor, want, limits)
	return d, content.At(r.Entry.Name(), err)
}

// choose marks the manifests of several platforms in the images among the roots.
func (p *plan) choose(ctx context.Context) error {
	if len(p.o.Platforms) < 2 {
		return nil
	}
	images := func(s layout.Summary) bool { return s.Kind <= layout.KindImage && !s.IsCosignTag() }
	return p.each(images, func(r Root) error {
		if !r.isNarrowable() {
			return nil
		}
		return p.chooseIn(ctx, r)
	})
}

// chooseIn marks the manifests of all Platforms in an index; of an image that is
// no index, it must be one of them.
func (p *plan) chooseIn(ctx context.Context, r Root) error {
	if p.chosen == nil {
		p.chosen = map[digestID]bool{}
	}
	var first error
	found := 0
	for _, want := range p.o.Platforms {
		d, err := selectPlatform(ctx, r, want, p.o.Limits)
		switch {
		case err == nil:
			p.chosen[p.id(d.Digest)] = true
			found++
		case !errors.Is(err, content.ErrNotFound):
			return err
		case first == nil:
			first = err
		}
	}
	if found == 0 || content.IsIndex(r.Entry.MediaType) {
		return first
	}
	return nil
}
