package mutate

import (
	"context"
	"errors"
	"strconv"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// A comparedChild is an image in an index, at any depth.
type comparedChild struct {
	desc   content.Descriptor
	raw    []byte // its descriptor, as the index has it
	key    string // its platform, or what else it is known by
	absent bool
}

// A comparedTree is what is in an index, nested ones taken apart.
type comparedTree struct {
	raw          *rawjson.Object // of the index itself; nil for a single image
	images       []comparedChild
	attestations map[string]content.Digest // by what they are about
}

// indexes compares two indexes, or an index and an image, platform by platform.
func (c *comparer) indexes(ctx context.Context, result *Comparison) error {
	d := &result.ImageDifference
	d.From, d.To, d.Fields = compared(c.from.Target), compared(c.to.Target), []FieldDifference{}
	a, err := c.gather(ctx, c.from)
	if err != nil {
		return err
	}
	b, err := c.gather(ctx, c.to)
	if err != nil {
		return err
	}
	f := fieldFinder{ignore: c.o.Ignore, kinds: manifestKinds}
	if a.raw != nil && b.raw != nil {
		if err := f.objects("", a.raw, b.raw, "manifests"); err != nil {
			return content.AtDigest(c.to.Target.Digest, err)
		}
	} else {
		f.differ("/mediaType", rawjson.Quote(c.from.Target.MediaType), rawjson.Quote(c.to.Target.MediaType))
	}
	children, err := c.children(ctx, result, &f, a, b)
	if err != nil {
		return err
	}
	c.attestations(&f, a, b)
	d.Fields = append(d.Fields, f.found...)
	if !f.any && !children && c.from.Target.Digest != c.to.Target.Digest {
		c.spelling(d, "", c.from.Target.Digest, c.to.Target.Digest)
	}
	return c.takeFields(d)
}

// children compares the images of two indexes, and says whether any differs, ignored or
// not.
func (c *comparer) children(ctx context.Context, result *Comparison, f *fieldFinder, a, b comparedTree) (differ bool, err error) {
	others := map[string]comparedChild{}
	for _, child := range b.images {
		others[child.key] = child
	}
	for _, child := range a.images {
		other, ok := others[child.key]
		if !ok {
			differ = true
			result.Platforms = append(result.Platforms, ImageDifference{Platform: child.key, From: child.compared(), Fields: []FieldDifference{}})
			continue
		}
		delete(others, child.key)
		differ = differ || child.desc.Digest != other.desc.Digest
		before := len(f.found)
		if len(child.raw) > 0 && len(other.raw) > 0 {
			if err := f.descriptors("/manifests/"+pointerStep(child.key), child.raw, other.raw, "digest", "size", "data"); err != nil {
				return differ, err
			}
		}
		image, err := c.child(ctx, child, other)
		if err != nil {
			return differ, err
		}
		if image.differs() {
			result.Platforms = append(result.Platforms, image)
		} else if len(f.found) == before {
			result.SamePlatforms++
		}
	}
	for _, child := range b.images {
		if _, ok := others[child.key]; ok {
			differ = true
			result.Platforms = append(result.Platforms, ImageDifference{Platform: child.key, To: child.compared(), Fields: []FieldDifference{}})
		}
	}
	return differ, c.take(int64(len(result.Platforms)) * 600)
}

// child compares two images for one platform. Of one that is absent only the digest is
// known.
func (c *comparer) child(ctx context.Context, from, to comparedChild) (ImageDifference, error) {
	if from.desc.Digest != to.desc.Digest && (from.absent || to.absent) {
		return ImageDifference{Platform: from.key, From: from.compared(), To: to.compared(), Fields: []FieldDifference{{
			"manifest", "", rawjson.Quote(from.desc.Digest.String()), rawjson.Quote(to.desc.Digest.String()),
		}}}, nil
	}
	d, err := c.images(ctx, from.desc, to.desc)
	d.Platform = from.key
	return d, err
}

func (c comparedChild) compared() *ComparedContent {
	d := compared(c.desc)
	d.Absent = c.absent
	return d
}

// attestations compares what BuildKit attests of each platform.
func (c *comparer) attestations(f *fieldFinder, a, b comparedTree) {
	kinds := f.kinds
	defer func() { f.kinds = kinds }()
	f.kinds = func(string) []string { return []string{"attestations"} }
	text := func(d content.Digest) []byte {
		if d == "" {
			return nil
		}
		return rawjson.Quote(d.String())
	}
	for _, key := range sortedKeys(a.attestations, b.attestations) {
		if from, to := a.attestations[key], b.attestations[key]; from != to {
			f.differ("/manifests/"+pointerStep(key), text(from), text(to))
		}
	}
}

// gather lists what is in one side.
func (c *comparer) gather(ctx context.Context, side CompareSide) (comparedTree, error) {
	g := treeGatherer{c: c, side: side, keys: map[string]int{}, seen: map[content.Digest]bool{}}
	g.tree.attestations = map[string]content.Digest{}
	if !content.IsIndex(side.Target.MediaType) {
		return g.tree, g.image(ctx, side.Target, nil)
	}
	raw, err := g.index(ctx, side.Target, 0)
	g.tree.raw = raw
	return g.tree, err
}

type treeGatherer struct {
	c    *comparer
	side CompareSide
	tree comparedTree
	keys map[string]int          // how often each came
	seen map[content.Digest]bool // indexes
}

// index gathers what is in an index.
func (g *treeGatherer) index(ctx context.Context, d content.Descriptor, depth int) (*rawjson.Object, error) {
	if depth > g.c.o.Limits.Depth {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest deeper than the limit of %d", g.c.o.Limits.Depth))
	}
	g.seen[d.Digest] = true
	m, data, err := content.FetchManifest(ctx, g.side, d, g.c.o.Limits)
	if err != nil {
		return nil, err
	}
	raw, err := strictObject(d.Digest, data)
	if err != nil {
		return nil, err
	}
	children := historySteps(raw.Get("manifests"))
	names := map[content.Digest]string{} // of the images in this index
	for i, child := range m.Manifests {
		switch {
		case content.IsAttestation(child):
		case content.IsIndex(child.MediaType):
			err = g.nested(ctx, child, children[i], depth)
		default:
			err = g.image(ctx, child, children[i])
			if n := len(g.tree.images); err == nil {
				names[child.Digest] = g.tree.images[n-1].key
			}
		}
		if err != nil {
			return nil, err
		}
	}
	for _, child := range m.Manifests {
		if content.IsAttestation(child) {
			g.attestation(child, names)
		}
	}
	return raw, nil
}

// nested gathers an index in an index, or notes it if it is not there.
func (g *treeGatherer) nested(ctx context.Context, d content.Descriptor, raw []byte, depth int) error {
	if g.seen[d.Digest] {
		return nil
	}
	_, err := g.index(ctx, d, depth+1)
	if errors.Is(err, content.ErrNotFound) {
		g.add(comparedChild{desc: d, raw: raw, key: d.Digest.String(), absent: true})
		return nil
	}
	return err
}

// image notes an image by its platform, or an artifact by its digest.
func (g *treeGatherer) image(ctx context.Context, d content.Descriptor, raw []byte) error {
	child := comparedChild{desc: d, raw: raw, key: d.Digest.String()}
	there, err := g.side.Exists(ctx, d)
	if err != nil {
		return err
	}
	child.absent = !there
	p := d.Platform
	if p == nil && there {
		if p, err = content.PlatformOf(ctx, g.side, d, g.c.o.Limits); err != nil {
			return err
		}
	}
	if p != nil {
		child.key = content.FormatPlatform(content.NormalizePlatform(*p))
	}
	g.add(child)
	return nil
}

func (g *treeGatherer) add(child comparedChild) {
	g.keys[child.key]++
	if n := g.keys[child.key]; n > 1 {
		child.key += "#" + strconv.Itoa(n)
	}
	g.tree.images = append(g.tree.images, child)
}

// attestation notes an attestation under the image that it is about.
func (g *treeGatherer) attestation(d content.Descriptor, names map[content.Digest]string) {
	about := content.Digest(d.Annotations[content.AnnotationReferenceDigest])
	key := names[about]
	if key == "" {
		key = about.String()
	}
	key = "attestation of " + key
	g.keys[key]++
	if n := g.keys[key]; n > 1 {
		key += "#" + strconv.Itoa(n)
	}
	g.tree.attestations[key] = d.Digest
}
