package layout

import (
	"context"
	"errors"
	"slices"
	"strings"

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

// Referrers calls fn with what has desc as its subject and, unless artifactType is
// "", that type. It has the form of oras-go's registry.ReferrerLister.
func (m ReferrerMap) Referrers(_ context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error {
	found := m.bySubject[desc.Digest]
	if artifactType != "" {
		found = slices.DeleteFunc(slices.Clone(found), func(d content.Descriptor) bool { return d.ArtifactType != artifactType })
	}
	if len(found) == 0 {
		return nil
	}
	return fn(found)
}

// Referrers is ReferrerMap.Referrers on a fresh reading of the layout.
func (r *Reader) Referrers(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error {
	m, err := r.ReferrerMap(ctx)
	if err != nil {
		return err
	}
	return m.Referrers(ctx, desc, artifactType, fn)
}

// ReferrerMap reads every manifest that index.json leads to, whatever its tags and
// lists of referrers say: a subject is what a manifest itself names. Manifests that
// are absent or not right are left out, the latter with a warning.
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

// withReferrers is r with one reading of its referrers, for who asks for those of
// many manifests; if not wanted, it tells of none.
func (r *Reader) withReferrers(ctx context.Context, wanted bool) (content.Fetcher, error) {
	f := struct {
		content.Fetcher
		ReferrerMap
	}{Fetcher: r}
	if !wanted {
		return f, nil
	}
	var err error
	f.ReferrerMap, err = r.ReferrerMap(ctx)
	return f, err
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
		found := content.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size, Annotations: m.Annotations}
		found.ArtifactType = m.EffectiveArtifactType()
		s.found.bySubject[m.Subject.Digest] = append(s.found.bySubject[m.Subject.Digest], found)
	}
	for _, child := range m.Manifests {
		if err := s.visit(ctx, child, s.r.Limits(), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// FallbackTag is the name under which an index lists the referrers of d: the
// algorithm cut to 32 characters, "-", the encoded part cut to 64, other
// characters than those of a tag as "-" (distribution-spec, "Referrers Tag Schema").
func FallbackTag(d content.Digest) string {
	alg, enc, _ := strings.Cut(string(d), ":")
	tag := alg[:min(len(alg), 32)] + "-" + enc[:min(len(enc), 64)]
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, tag)
}

// cosignSubject is the digest in the name of an entry that cosign made; "" if
// cosign did not make it.
func cosignSubject(name string) content.Digest {
	if !isCosignTag(name) {
		return ""
	}
	tag := name[strings.LastIndexAny(name, ":/")+1:]
	tag = tag[:strings.IndexByte(tag, '.')]
	return content.Digest(strings.Replace(tag, "-", ":", 1))
}
