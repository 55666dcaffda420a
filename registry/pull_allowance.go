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

func newAllowance(types []string, maxCount int, maxBytes int64) *allowance {
	return &allowance{
		types: types, maxCount: cmp.Or(maxCount, DefaultMaxReferrers), maxBytes: cmp.Or(maxBytes, DefaultMaxReferrerBytes), counted: map[content.Digest]bool{},
		weights: map[content.Digest]int64{},
	}
}

// kind says whether referrers of a type come along.
func (a *allowance) kind(artifactType string) bool {
	return len(a.types) == 0 || slices.Contains(a.types, artifactType)
}

// fit drops from a list what it says to be of other types, and what it has twice.
func (a *allowance) fit(list []content.Descriptor) []content.Descriptor {
	met := map[content.Digest]bool{}
	return slices.DeleteFunc(list, func(d content.Descriptor) bool {
		if met[d.Digest] || d.ArtifactType != "" && !a.kind(d.ArtifactType) {
			return true
		}
		met[d.Digest] = true
		return false
	})
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
	if b.Size, err = p.weigh(ctx, d); err != nil {
		return err
	}
	p.report.Brought = append(p.report.Brought, b)
	return nil
}

// weigh is the size of a manifest with all below it that comes along.
func (p *puller) weigh(ctx context.Context, d content.Descriptor) (int64, error) {
	size, err := p.allowed.weigh(ctx, scale{p.src, p.src.limits, p.o.Platforms, func(d content.Digest) bool { return p.seen[d] }}, d, 0)
	return size, p.where(err)
}

// A scale says what is weighed.
type scale struct {
	src       content.Fetcher // of which nothing but manifests is read
	limits    content.Limits
	platforms []content.Platform
	counted   func(content.Digest) bool // as what referrers are of
}

// weigh is the size of a manifest with all below it that is taken. What was not counted
// before is.
func (a *allowance) weigh(ctx context.Context, s scale, d content.Descriptor, depth int) (int64, error) {
	if !s.counted(d.Digest) {
		if err := a.take(d); err != nil {
			return 0, err
		}
	}
	if !content.HasEdges(d.MediaType) {
		return d.Size, nil
	}
	if size, ok := a.weights[d.Digest]; ok {
		return size, nil
	}
	if depth > s.limits.Depth {
		return 0, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "manifests nest deeper than %d", s.limits.Depth))
	}
	m, _, err := content.FetchManifest(ctx, s.src, d, s.limits)
	if errors.Is(err, content.ErrNotFound) && depth > 0 {
		return 0, nil // of a sparse index
	}
	if err != nil {
		return 0, err
	}
	size := d.Size
	for _, e := range m.Edges() {
		if e.Role == content.RoleSubject || e.Role == content.RoleManifest && !layout.WantsChild(ctx, s.src, m, e.To, s.platforms, s.limits) {
			continue
		}
		below, err := a.weigh(ctx, s, e.To, depth+1)
		if err != nil {
			return 0, err
		}
		size += min(below, math.MaxInt64-size)
	}
	a.weights[d.Digest] = size
	return size, nil
}
