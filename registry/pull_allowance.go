package registry

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// An allowance is what may come along with images, and how much of that has.
type allowance struct {
	types    []string
	maxCount int
	maxBytes int64

	count   int
	bytes   int64
	counted map[content.Digest]bool  // in bytes
	weights map[content.Digest]int64 // of manifests with all below them
}

func newAllowance(o PullOptions) *allowance {
	return &allowance{
		types: o.ReferrerTypes, maxCount: cmp.Or(o.MaxReferrers, DefaultMaxReferrers),
		maxBytes: cmp.Or(o.MaxReferrerBytes, DefaultMaxReferrerBytes), counted: map[content.Digest]bool{},
		weights: map[content.Digest]int64{},
	}
}

// kind says whether referrers of a type come along.
func (a *allowance) kind(artifactType string) bool {
	return len(a.types) == 0 || slices.Contains(a.types, artifactType)
}

// more refuses further referrers if they are too many.
func (a *allowance) more(n int) error {
	if n > a.maxCount-a.count {
		return content.Errorf(content.ErrRefused, "with its referrers more than %d would come along", a.maxCount)
	}
	return nil
}

// take counts the bytes of content that was not counted before.
func (a *allowance) take(d content.Descriptor) error {
	if d.Size < 0 {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrSize, "descriptor says size %d", d.Size))
	}
	if a.counted[d.Digest] {
		return nil
	}
	if d.Size > a.maxBytes-a.bytes {
		return content.Errorf(content.ErrRefused, "with its referrers more than %d bytes of such would come along", a.maxBytes)
	}
	a.counted[d.Digest] = true
	a.bytes += d.Size
	return nil
}

// admit counts a referrer with all below it, of which nothing but manifests is fetched
// for that.
func (p *puller) admit(ctx context.Context, b Brought, d content.Descriptor) (err error) {
	if err := p.allowed.more(1); err != nil {
		return err
	}
	p.allowed.count++
	if b.Size, err = p.weigh(ctx, d, 0); err != nil {
		return err
	}
	p.report.Brought = append(p.report.Brought, b)
	return nil
}

// weigh is the size of a manifest with all below it that comes along.
func (p *puller) weigh(ctx context.Context, d content.Descriptor, depth int) (int64, error) {
	if !p.seen[d.Digest] {
		if err := p.allowed.take(d); err != nil {
			return 0, err
		}
	}
	if !content.HasEdges(d.MediaType) {
		return d.Size, nil
	}
	if size, ok := p.allowed.weights[d.Digest]; ok {
		return size, nil
	}
	if depth > p.src.limits.Depth {
		return 0, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "manifests nest deeper than %d", p.src.limits.Depth))
	}
	m, _, err := content.FetchManifest(ctx, p.src, d, p.src.limits)
	if errors.Is(err, content.ErrNotFound) && depth > 0 {
		return 0, nil // of a sparse index
	}
	if err != nil {
		return 0, p.where(err)
	}
	size := d.Size
	for _, e := range m.Edges() {
		if e.Role == content.RoleSubject || e.Role == content.RoleManifest && !layout.WantsChild(ctx, p.src, m, e.To, p.o.Platforms, p.src.limits) {
			continue
		}
		below, err := p.weigh(ctx, e.To, depth+1)
		if err != nil {
			return 0, err
		}
		size += min(below, math.MaxInt64-size)
	}
	p.allowed.weights[d.Digest] = size
	return size, nil
}
