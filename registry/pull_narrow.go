package registry

import (
	"context"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// narrow makes new indexes of those that are not taken as a whole, if that is asked for:
// roots are then what was found, or what stands in place of it.
func (p *puller) narrow(ctx context.Context, found []*Found, roots []content.Descriptor) error {
	if !p.o.Narrow {
		return nil
	}
	if err := p.fetchAhead(ctx, roots); err != nil {
		return err
	}
	if p.narrower == nil {
		p.narrower = layout.NewNarrower(p.src, p.o.Platforms, p.src.limits)
	}
	for i, f := range found {
		d, news, err := p.narrower.Narrow(ctx, f.Descriptor)
		if err != nil {
			return content.At(f.repo.ref.Name(), err)
		}
		for _, made := range news {
			p.narrowed = append(p.narrowed, f.repo)
			data := p.narrower.Made(made.New)
			p.src.add(&Found{content.Descriptor{MediaType: f.MediaType, Digest: made.New, Size: int64(len(data))}, data, f.from, f.repo})
		}
		p.report.Narrowed = append(p.report.Narrowed, news...)
		roots[i] = d
	}
	return nil
}

// countLeft counts what refers to indexes that became others.
func (p *puller) countLeft(ctx context.Context) error {
	for i, repo := range p.narrowed {
		it := &p.report.Narrowed[i]
		list, err := repo.referrers(ctx, it.Old)
		if err != nil {
			return err
		}
		it.Left = len(list)
		for _, r := range p.repos {
			for tag := range r.tags {
				if r.repo == repo && strings.HasPrefix(tag, layout.FallbackTag(it.Old)+".") && (layout.Summary{Name: tag}).IsCosignTag() {
					it.Left++
				}
			}
		}
	}
	return nil
}
