package registry

import (
	"cmp"
	"context"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// belongings sends what refers to the manifests that were sent or there, what refers
// to that, and so on; then what cosign made for any of them.
func (p *pusher) belongings(ctx context.Context) error {
	for i := 0; i < len(p.seen); i++ { // which grows meanwhile
		subject := p.seen[i]
		if !p.o.NoSubjects {
			if err := p.referrersOf(ctx, subject); err != nil {
				return err
			}
		}
		if p.o.NoCosign {
			continue
		}
		signed, err := p.src.signed(ctx, subject.Digest)
		if err != nil {
			return content.At(p.src.Path(), err)
		}
		for _, t := range signed {
			if err := p.signature(ctx, subject.Digest, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// signature sends what cosign made for a subject.
func (p *pusher) signature(ctx context.Context, subject content.Digest, t target) error {
	m, _, err := content.FetchManifest(ctx, p.src, t.Descriptor, p.src.Limits())
	if err != nil {
		return content.At(p.src.Path(), err)
	}
	b := Brought{Digest: t.Digest, ArtifactType: cmp.Or(layout.TypeOfContent(m), m.EffectiveArtifactType()), Subject: subject, Tag: t.points[0]}
	if !p.allowed.kind(b.ArtifactType) {
		return nil
	}
	if err := p.admit(ctx, &b, t.Descriptor); err != nil {
		return err
	}
	before := p.report.Manifests
	if err := p.image(ctx, t.Descriptor, t.points); err != nil {
		return err
	}
	if p.report.Manifests > before {
		p.report.Referrers++
		p.report.Brought = append(p.report.Brought, b)
	}
	return nil
}

// admit counts what refers to an image, with all below it, before any of that is sent.
func (p *pusher) admit(ctx context.Context, b *Brought, d content.Descriptor) (err error) {
	if err = p.allowed.more(1); err == nil {
		p.allowed.count++
		b.Size, err = p.allowed.weigh(ctx, scale{p.src, p.src.Limits(), p.o.Platforms, func(d content.Digest) bool { return p.isPlanned(d) || p.blobs[d] }}, d, 0)
	}
	return content.At(p.src.Path(), err)
}

// isPlanned says whether a manifest was looked at.
func (p *pusher) isPlanned(d content.Digest) bool {
	_, ok := p.planned[d]
	return ok
}

func (p *pusher) referrersOf(ctx context.Context, subject node) error {
	var own []content.Descriptor
	err := p.src.Referrers(ctx, subject.Descriptor, "", func(found []content.Descriptor) error {
		own = append(own, p.o.Pick(slices.Clone(found))...)
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
	own = slices.DeleteFunc(p.allowed.fit(own), func(d content.Descriptor) bool { return p.isPlanned(d.Digest) })
	fresh := 0
	for _, d := range own {
		if !listed[d.Digest] {
			fresh++
		}
	}
	if err := p.allowed.more(fresh); err != nil {
		return content.At(p.src.Path(), content.AtDigest(subject.Digest, err))
	}
	for _, d := range own {
		if p.isPlanned(d.Digest) { // by one before it
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
	var work plan
	if listed {
		return content.At(p.src.Path(), p.plan(ctx, &work, d, true, false, 0))
	}
	ok, err := p.src.refers(ctx, d, subject)
	if err != nil || !ok {
		return content.At(p.src.Path(), err)
	}
	m, _, err := content.FetchManifest(ctx, p.src, d, p.src.Limits())
	if err != nil {
		return content.At(p.src.Path(), err)
	}
	b := Brought{Digest: d.Digest, ArtifactType: m.EffectiveArtifactType(), Subject: subject}
	if !p.allowed.kind(b.ArtifactType) {
		return nil
	}
	if err := p.admit(ctx, &b, d); err != nil {
		return err
	}
	if err := p.plan(ctx, &work, d, false, false, 0); err != nil {
		return content.At(p.src.Path(), err)
	}
	if err := p.send(ctx, work); err != nil {
		return err
	}
	p.report.Manifests++
	p.report.Referrers++
	p.report.Brought = append(p.report.Brought, b)
	if p.o.DryRun {
		return nil
	}
	return p.put(ctx, p.seen[p.planned[d.Digest]], d.Digest.String())
}
