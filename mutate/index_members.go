package mutate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// An indexMember is a child of the index to be made.
type indexMember struct {
	content.Descriptor
	raw      json.RawMessage // the descriptor as it stands in the index
	platform string          // "" for a nested index, an artifact and an attestation
	// images are those of a nested index, at any depth.
	images []indexMember
	// attestations are what BuildKit attests of it.
	attestations []indexMember
	absent       bool           // from its layout, as a child may be
	from         *layout.Reader // nil if it was in the index before
	place        int            // of one that was: among the children
}

// takeAll takes the images of all sources.
func (x *indexMaker) takeAll(ctx context.Context, sources []layout.Source) error {
	for _, src := range sources {
		e, err := src.Lookup(ctx, src.Ref)
		if err == nil {
			err = x.take(ctx, src.Reader, e.Descriptor)
		}
		if err != nil {
			return content.At(src.Path(), err)
		}
	}
	// Those for other platforms were not taken, so what there is can't be listed.
	if _, missing := lackedPlatform(x.members, x.o.Platforms); missing != "" {
		return content.Errorf(content.ErrNotFound, "no source has an image for %s", missing)
	}
	return nil
}

// take takes an image, or the images of an index.
func (x *indexMaker) take(ctx context.Context, r *layout.Reader, d content.Descriptor) error {
	if content.IsIndex(d.MediaType) {
		c := childLister{r: r, platforms: x.o.Platforms}
		members, err := c.list(ctx, d, 0)
		if err != nil {
			return err
		}
		for i := range members {
			if x.o.DropAttestations {
				members[i].attestations = nil
			}
		}
		if x.o.DropAttestations {
			members = slices.DeleteFunc(members, func(m indexMember) bool { return content.IsAttestation(m.Descriptor) })
		}
		if x.o.Nested {
			members = []indexMember{nestedMember(r, content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, nil, members)}
		}
		x.members = append(x.members, members...)
		return nil
	}
	p, err := content.PlatformOf(ctx, r, d, r.Limits())
	switch {
	case err != nil:
		return err
	case p == nil:
		return content.AtDigest(d.Digest, content.Errorf(content.ErrInvalid, "is no image, and an index is made of images"))
	case p.OS == "" || p.Architecture == "":
		return content.AtDigest(d.Digest, content.Errorf(content.ErrInvalid, "has no platform in its config"))
	}
	normal := content.NormalizePlatform(*p)
	if d.Platform != nil {
		if err := sameMachine(d.Digest, *d.Platform, normal); err != nil {
			return err
		}
	}
	plain := content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, Platform: &normal}
	x.members = append(x.members, indexMember{Descriptor: plain, raw: layout.NewEntry(plain).Raw, platform: content.FormatPlatform(normal), from: r})
	return nil
}

func nestedMember(r *layout.Reader, d content.Descriptor, raw json.RawMessage, children []indexMember) indexMember {
	if raw == nil {
		raw = layout.NewEntry(d).Raw
	}
	m := indexMember{Descriptor: d, raw: raw, from: r}
	for _, child := range children {
		if child.platform != "" {
			m.images = append(m.images, child)
		}
		m.images = append(m.images, child.images...)
	}
	return m
}

// childLister lists the children of an index, attestations with what they are about.
type childLister struct {
	r *layout.Reader
	// platforms are the only ones wanted, none is all. With some of them nested indexes
	// are taken apart, without they stay, and only their platforms count.
	platforms []content.Platform
	// old says that the children are in the index already, so that they have no more to
	// prove.
	old   bool
	count int
}

func (c *childLister) list(ctx context.Context, d content.Descriptor, depth int) ([]indexMember, error) {
	limits := c.r.Limits()
	if depth > limits.Depth {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest deeper than the limit of %d", limits.Depth))
	}
	m, data, err := content.FetchManifest(ctx, c.r, d, limits)
	if err != nil {
		return nil, err
	}
	if c.count += len(m.Manifests); c.count > limits.Nodes {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes with more than the limit of %d children", limits.Nodes))
	}
	raw, err := rawChildren(d.Digest, data, len(m.Manifests))
	if err != nil {
		return nil, err
	}
	var members, attestations []indexMember
	for i, child := range m.Manifests {
		if !layout.WantsChild(ctx, c.r, m, child, c.platforms, limits) {
			continue
		}
		if content.IsIndex(child.MediaType) && len(c.platforms) > 0 {
			nested, err := c.list(ctx, child, depth+1)
			if err != nil && !errors.Is(err, content.ErrNotFound) {
				return nil, err
			}
			members = append(members, nested...)
			continue
		}
		member, err := c.member(ctx, child, raw[i], depth)
		if err != nil {
			return nil, err
		}
		if c.old {
			member.from, member.place = nil, i
		}
		if content.IsAttestation(child) {
			attestations = append(attestations, member)
		} else {
			members = append(members, member)
		}
	}
	return withAttestations(members, attestations), nil
}

// withAttestations puts attestations to what they are about. One that is about nothing
// in the index stays by itself.
func withAttestations(members, attestations []indexMember) []indexMember {
	places := map[content.Digest]int{}
	for i := len(members) - 1; i >= 0; i-- {
		places[members[i].Digest] = i
	}
	for _, a := range attestations {
		i, ok := places[content.Digest(a.Annotations[content.AnnotationReferenceDigest])]
		if !ok {
			members = append(members, a)
			continue
		}
		members[i].attestations = append(members[i].attestations, a)
	}
	return members
}

// rawChildren are the descriptors of an index as they stand there.
func rawChildren(d content.Digest, data []byte, want int) ([]json.RawMessage, error) {
	o, err := rawjson.Parse(data)
	if err != nil {
		return nil, content.AtDigest(d, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	var raw []json.RawMessage
	err = rawjson.EachElement(o.Get("manifests"), func(value []byte) error {
		raw = append(raw, value)
		return nil
	})
	if err == nil && len(raw) != want {
		err = content.AtDigest(d, content.Errorf(content.ErrCorrupt, "its children can be read in two ways"))
	}
	return raw, err
}

// member makes a member of a child.
func (c *childLister) member(ctx context.Context, d content.Descriptor, raw json.RawMessage, depth int) (indexMember, error) {
	m := indexMember{Descriptor: d, raw: raw, from: c.r}
	there, err := c.r.Exists(ctx, d)
	if err != nil {
		return m, err
	}
	m.absent = !there
	switch {
	case content.IsAttestation(d):
		return m, nil
	case content.IsIndex(d.MediaType):
		children, err := c.list(ctx, d, depth+1)
		if errors.Is(err, content.ErrNotFound) {
			return m, nil // a sparse index
		}
		return nestedMember(c.r, d, raw, children), err
	case there && c.old && m.Platform == nil:
		m.Platform, err = content.PlatformOf(ctx, c.r, d, c.r.Limits())
	case there && !c.old:
		err = m.claim(ctx, c.r)
	}
	if m.Platform != nil && err == nil {
		m.platform = content.FormatPlatform(content.NormalizePlatform(*m.Platform))
	}
	return m, err
}

// claim holds the platform of the member's descriptor against that of its config, and
// puts that into a descriptor without one.
func (m *indexMember) claim(ctx context.Context, r *layout.Reader) error {
	p, err := content.PlatformOf(ctx, r, m.Descriptor, r.Limits())
	if err != nil || p == nil || p.OS == "" || p.Architecture == "" {
		return err
	}
	is := content.NormalizePlatform(*p)
	if m.Platform == nil {
		o, err := rawjson.Parse(m.raw)
		if err != nil {
			return content.AtDigest(m.Digest, content.Errorf(content.ErrCorrupt, "%w", err))
		}
		text, err := rawjson.Marshal(is)
		if err != nil {
			return err
		}
		o.Set("platform", text)
		m.Platform, m.raw = &is, o.Bytes()
		return nil
	}
	return sameMachine(m.Digest, *m.Platform, is)
}

// sameMachine refuses an image whose descriptor says another operating system or
// architecture than its config.
func sameMachine(d content.Digest, says, is content.Platform) error {
	if says = content.NormalizePlatform(says); says.OS == is.OS && says.Architecture == is.Architecture {
		return nil
	}
	return content.AtDigest(d, content.Errorf(content.ErrRefused, "the index says that it is for %s, its config %s",
		content.FormatPlatform(says), content.FormatPlatform(is)))
}

// joinMembers drops what comes twice, and refuses what two images for one platform, and
// one image for two, would make of an index. What was in the index before stays as it
// is.
func joinMembers(members []indexMember) ([]indexMember, error) {
	var joined []indexMember
	places := map[content.Digest]int{}
	seen := platformCheck{digests: map[string]content.Digest{}, platforms: map[content.Digest]string{}}
	for _, m := range members {
		if i, ok := places[m.Digest]; ok && joined[i].platform == m.platform && m.from != nil {
			joined[i].attest(m.attestations)
			continue
		}
		for _, image := range append(slices.Clone(m.images), m) {
			if err := seen.add(image); err != nil && m.from != nil {
				return nil, err
			}
		}
		places[m.Digest] = len(joined)
		joined = append(joined, m)
	}
	return joined, nil
}

// attest adds attestations that are not there yet.
func (m *indexMember) attest(more []indexMember) {
	for _, a := range more {
		if !slices.ContainsFunc(m.attestations, func(b indexMember) bool { return b.Digest == a.Digest }) {
			m.attestations = append(m.attestations, a)
		}
	}
}

// platformCheck keeps which image is for which platform.
type platformCheck struct {
	digests   map[string]content.Digest
	platforms map[content.Digest]string
}

func (c platformCheck) add(m indexMember) error {
	if m.platform == "" {
		return nil
	}
	if other, ok := c.platforms[m.Digest]; ok && other != m.platform {
		return content.AtDigest(m.Digest, content.Errorf(content.ErrRefused, "is there for two platforms, %s and %s", other, m.platform))
	}
	if other, ok := c.digests[m.platform]; ok && other != m.Digest {
		return content.Errorf(content.ErrRefused, "two images for %s: %s and %s", m.platform, other, m.Digest)
	}
	c.digests[m.platform], c.platforms[m.Digest] = m.Digest, m.platform
	return nil
}
