package registry

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
)

// belongings sends what refers to the manifests that were sent or there, what refers
// to that, and so on; then what cosign made for any of them.
func (p *pusher) belongings(ctx context.Context) error {
	for i := 0; i < len(p.seen); i++ { // which grows meanwhile
		subject := p.seen[i]
		if err := p.referrersOf(ctx, subject); err != nil {
			return err
		}
		signed, err := p.src.signed(ctx, subject.Digest)
		if err != nil {
			return content.At(p.src.Path(), err)
		}
		for _, t := range signed {
			before := p.report.Manifests
			if err := p.image(ctx, t.Descriptor, t.points); err != nil {
				return err
			}
			if p.report.Manifests > before {
				p.report.Referrers++
			}
		}
	}
	return nil
}

func (p *pusher) referrersOf(ctx context.Context, subject node) error {
	var own []content.Descriptor
	err := p.src.Referrers(ctx, subject.Descriptor, "", func(found []content.Descriptor) error {
		own = append(own, found...)
		return nil
	})
	if err != nil || len(own) == 0 {
		return content.At(p.src.Path(), err)
	}
	listed := map[content.Digest]bool{}
	if subject.present { // else nothing refers to it there
		list, err := p.repo.referrers(ctx, subject.Digest)
		if err != nil {
			return err
		}
		for _, d := range list {
			listed[d.Digest] = true
		}
	}
	for _, d := range own {
		if _, ok := p.planned[d.Digest]; ok {
			continue
		}
		if err := p.referrer(ctx, d, subject.Digest, listed[d.Digest]); err != nil {
			return err
		}
	}
	return nil
}

// referrer sends one referrer, with all below it, unless the registry lists it.
func (p *pusher) referrer(ctx context.Context, d content.Descriptor, subject content.Digest, listed bool) error {
	if !listed {
		ok, err := p.src.refers(ctx, d, subject)
		if err != nil || !ok {
			return content.At(p.src.Path(), err)
		}
	}
	var work plan
	if err := p.plan(ctx, &work, d, listed, false, 0); err != nil {
		return content.At(p.src.Path(), err)
	}
	if listed {
		return nil
	}
	if err := p.send(ctx, work); err != nil {
		return err
	}
	p.report.Manifests++
	p.report.Referrers++
	if p.o.DryRun {
		return nil
	}
	return p.put(ctx, p.seen[p.planned[d.Digest]], d.Digest.String())
}
