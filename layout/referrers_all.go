package layout

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
)

// A ReferrerMap is what refers to what as its subject, all over a layout: one reading
// of it, which does not change afterwards.
type ReferrerMap struct {
	bySubject map[content.Digest][]content.Descriptor
}

// Of lists what has the digest as its subject, in the order in which index.json
// leads to it. The descriptors are as a registry's referrers API would send them
// (distribution-spec, "Listing Referrers"): artifactType and annotations are the
// manifest's own.
func (m ReferrerMap) Of(d content.Digest) []content.Descriptor { return m.bySubject[d] }

// all is the set of everything that has a subject.
func (m ReferrerMap) all() map[content.Digest]bool {
	set := map[content.Digest]bool{}
	for _, list := range m.bySubject {
		for _, d := range list {
			set[d.Digest] = true
		}
	}
	return set
}

// ReferrerMap reads every manifest that index.json leads to, whatever its tags and
// lists of referrers say: a subject is what a manifest itself names. Manifests that
// are absent or not right are left out, the latter with a warning. For the
// referrers of a few manifests FindReferrers is much cheaper.
func (r *Reader) ReferrerMap(ctx context.Context) (ReferrerMap, error) {
	s := referrerScan{r: r, seen: map[content.Digest]bool{}, found: ReferrerMap{map[content.Digest][]content.Descriptor{}}}
	err := r.View(ctx, func(x *Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			limits := r.Limits()
			if e.Kind() == KindFallback {
				limits.Manifest = limits.Index // one subject may have very many referrers
			}
			if err := s.visit(ctx, e.Descriptor, limits, 0); err != nil {
				return err
			}
		}
		return nil
	})
	return s.found, err
}

type referrerScan struct {
	r     *Reader
	seen  map[content.Digest]bool
	found ReferrerMap
}

func (s *referrerScan) visit(ctx context.Context, desc content.Descriptor, limits content.Limits, depth int) error {
	if s.seen[desc.Digest] || !content.HasEdges(desc.MediaType) || depth > limits.Depth || len(s.seen) >= limits.Nodes {
		return nil
	}
	s.seen[desc.Digest] = true
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	m, _, err := content.FetchManifest(ctx, s.r, desc, limits)
	switch {
	case errors.Is(err, content.ErrNotFound):
		return nil
	case errors.Is(err, content.ErrCorrupt) || errors.Is(err, content.ErrRefused):
		s.r.o.Warn(err)
		return nil
	case err != nil:
		return err
	}
	if m.Subject != nil {
		found := asReferrer(desc, m)
		s.found.bySubject[m.Subject.Digest] = append(s.found.bySubject[m.Subject.Digest], found)
	}
	for _, child := range m.Manifests {
		if err := s.visit(ctx, child, s.r.Limits(), depth+1); err != nil {
			return err
		}
	}
	return nil
}
