package export

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A blob is content that goes into the archive.
type blob struct {
	content.Descriptor
	src     Source
	data    []byte // its proven bytes, if they were read already and kept
	foreign bool   // everything that refers to it allows it to be absent
	others  []Source
}

// A node is what matters here of a manifest or index.
type node struct {
	content.Descriptor
	src          Source
	absent       bool
	children     []content.Descriptor // of an index, those that are followed
	config       *content.Descriptor
	layers       []content.Descriptor
	image        bool
	artifactType string
	subject      content.Digest
	annotations  map[string]string // of a manifest with a subject
	platform     *content.Platform // of an image, from its config
	diffIDs      []content.Digest  // of an image
}

// A step is an edge that the gatherer goes along.
type step struct {
	content.Descriptor
	src         Source
	mayBeAbsent bool
	only        condition
	list        bool // of referrers, which may be long
}

// A condition is what a manifest must turn out to be for a step to count.
type condition uint8

const (
	always         condition = iota
	ifReferrer               // it has a subject
	unlessReferrer           // it has none
)

func (c condition) holds(m content.Manifest) bool {
	return c == always || (c == ifReferrer) == (m.Subject != nil)
}

// gatherer collects what roots reach: manifests are read, several at once, and
// blobs are listed.
type gatherer struct {
	o       Options
	chosen  map[content.Digest]bool // children that Platforms selected; nil for all
	nodes   map[content.Digest]*node
	blobs   map[content.Digest]*blob
	kept    int // bytes in blob.data
	absent  []content.Descriptor
	leftOut []content.Descriptor
}

const (
	// maxKept is how many bytes of manifests and configs are kept from reading them
	// to writing them, and keptBlob the largest one that is.
	maxKept  = 16 << 20
	keptBlob = 16 << 10
	// batchCount and batchBytes bound the manifests that are in memory at once.
	batchCount = 2048
	batchBytes = 8 << 20
)

func newGatherer(o Options) *gatherer {
	return &gatherer{o: o, nodes: map[content.Digest]*node{}, blobs: map[content.Digest]*blob{}}
}

// walk visits everything from the steps on, one level of the graph after another.
func (g *gatherer) walk(ctx context.Context, level []step) error {
	for depth := 0; len(level) > 0; depth++ {
		if depth > g.o.Limits.Depth {
			return content.AtDigest(level[0].Digest, content.Errorf(content.ErrRefused, "manifests nest deeper than %d", g.o.Limits.Depth))
		}
		var next []step
		for len(level) > 0 {
			n := batch(level)
			steps, err := g.visit(ctx, level[:n])
			if err != nil {
				return err
			}
			next, level = append(next, steps...), level[n:]
		}
		level = next
	}
	return nil
}

// batch is how many of the steps are taken together.
func batch(steps []step) int {
	n, bytes := 0, int64(0)
	for n < len(steps) && n < batchCount && (n == 0 || bytes+steps[n].Size <= batchBytes) {
		bytes += steps[n].Size
		n++
	}
	return n
}

// visit reads the manifests of some steps and returns the steps behind them.
func (g *gatherer) visit(ctx context.Context, steps []step) ([]step, error) {
	type key struct {
		dgst content.Digest
		size int64
		src  Source
		only condition
	}
	var fresh []step
	asked := map[key]bool{}
	for _, s := range steps {
		k := key{s.Digest, s.Size, s.src, s.only}
		n := g.nodes[s.Digest]
		if n != nil && n.Size != s.Size {
			return nil, disagree(s.Descriptor, n.Size)
		}
		if asked[k] || n != nil && !(n.absent && n.src != s.src) {
			continue
		}
		asked[k] = true
		fresh = append(fresh, s)
	}
	read := make([]loaded, len(fresh))
	err := parallel(ctx, len(fresh), func(ctx context.Context, i int) (err error) {
		read[i], err = g.load(ctx, fresh[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	var next []step
	for i, s := range fresh {
		steps, err := g.take(ctx, s, read[i])
		if err != nil {
			return nil, err
		}
		next = append(next, steps...)
	}
	if len(g.nodes) > g.o.Limits.Nodes {
		return nil, content.Errorf(content.ErrRefused, "more than %d manifests", g.o.Limits.Nodes)
	}
	return next, nil
}

// parallel calls fn for 0 to n-1 on all cores, beginning in order. The first error
// ends it.
func parallel(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), n) {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				if err := fn(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// loaded is a manifest and its config, as they were read.
type loaded struct {
	manifest       content.Manifest
	data, config   []byte
	platform       *content.Platform
	diffIDs        []content.Digest
	absent, opaque bool
}

// load reads a manifest, and the config of an image.
func (g *gatherer) load(ctx context.Context, s step) (loaded, error) {
	if s.MediaType != "" && !content.HasEdges(s.MediaType) {
		return loaded{opaque: true}, nil
	}
	limit := g.o.Limits.Manifest
	if s.list {
		limit = g.o.Limits.Index
	}
	data, err := readProven(ctx, s.src, s.Descriptor, limit)
	switch {
	case errors.Is(err, content.ErrNotFound) && s.mayBeAbsent:
		return loaded{absent: true}, nil
	case errors.Is(err, content.ErrNotFound):
		return loaded{}, missing(s.Descriptor, "manifest")
	case err != nil:
		return loaded{}, err
	}
	m, err := layout.ParseManifest(s.MediaType, data)
	if err != nil {
		return loaded{}, content.AtDigest(s.Digest, err)
	}
	l := loaded{manifest: m, data: keep(data)}
	if m.IsImage() && s.only.holds(m) {
		err = l.readConfig(ctx, s.src, g.o.Limits)
	}
	return l, err
}

// keep drops what is too large to be kept.
func keep(data []byte) []byte {
	if len(data) > keptBlob {
		return nil
	}
	return data
}

func missing(d content.Descriptor, what string) error {
	return content.AtDigest(d.Digest, content.Errorf(content.ErrMissing, "%s is missing", what))
}

// readConfig takes the platform and the diffIDs from a config; one that is not
// what it should be has none, which only the forms that need them mind.
func (l *loaded) readConfig(ctx context.Context, src Source, limits content.Limits) error {
	data, err := readProven(ctx, src, *l.manifest.Config, limits.Manifest)
	if errors.Is(err, content.ErrNotFound) {
		return missing(*l.manifest.Config, "config")
	}
	if err != nil {
		return err
	}
	l.config = keep(data)
	facts, err := layout.ParseFacts(data)
	if err != nil {
		return nil
	}
	l.diffIDs = facts.DiffIDs
	if facts.OS != "" && facts.Architecture != "" {
		p := content.NormalizePlatform(facts.Platform)
		l.platform = &p
	}
	return nil
}

// take files a manifest that was read and returns the steps to its children.
func (g *gatherer) take(ctx context.Context, s step, l loaded) ([]step, error) {
	n := &node{Descriptor: s.Descriptor, src: s.src, absent: l.absent}
	m := l.manifest
	had := g.nodes[s.Digest]
	switch {
	case had != nil && !had.absent:
		return nil, nil
	case l.absent:
		g.nodes[s.Digest] = n
		g.absent = append(g.absent, s.Descriptor)
		return nil, nil
	case l.opaque:
		g.nodes[s.Digest] = n
		return nil, g.add(s.src, s.Descriptor, nil, false)
	case !s.only.holds(m):
		if s.only == unlessReferrer {
			g.leftOut = append(g.leftOut, s.Descriptor)
		}
		return nil, nil
	}
	n.MediaType = shape(m)
	n.config, n.layers, n.image = m.Config, slices.Concat(m.Layers, m.Blobs), m.IsImage()
	n.platform, n.diffIDs = l.platform, l.diffIDs
	if m.ArtifactType != "" || !content.IsIndex(n.MediaType) && !n.image {
		n.artifactType = m.EffectiveArtifactType()
	}
	if m.Subject != nil {
		n.subject, n.annotations = m.Subject.Digest, m.Annotations
	}
	g.nodes[s.Digest] = n
	if err := g.add(s.src, s.Descriptor, l.data, false); err != nil {
		return nil, err
	}
	return g.edges(ctx, n, m, l.config)
}

// shape is the media type of a manifest, told by what it holds if neither it nor
// its descriptor says it.
func shape(m content.Manifest) string {
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Manifests != nil:
		return mediaTypeIndex
	default:
		return mediaTypeManifest
	}
}

// edges adds the blobs of a manifest and returns the steps to its children.
func (g *gatherer) edges(ctx context.Context, n *node, m content.Manifest, config []byte) ([]step, error) {
	var next []step
	for _, e := range m.Edges() {
		var err error
		switch {
		case e.Role == content.RoleConfig:
			err = g.add(n.src, e.To, config, false)
		case e.Role == content.RoleLayer:
			err = g.add(n.src, e.To, nil, content.IsForeign(e.To.MediaType))
		case e.Role == content.RoleManifest && g.follows(m, e.To):
			n.children = append(n.children, e.To)
			next = append(next, step{Descriptor: e.To, src: n.src, mayBeAbsent: true})
		case e.Role == content.RoleManifest:
			err = g.leaveOut(ctx, n.src, e.To)
		}
		if err != nil {
			return nil, err
		}
	}
	return next, nil
}

// leaveOut notes a child of other platforms; it is absent if it could not have
// been taken anyway.
func (g *gatherer) leaveOut(ctx context.Context, src Source, d content.Descriptor) error {
	switch _, err := src.Size(ctx, d.Digest); {
	case errors.Is(err, content.ErrNotFound):
		g.absent = append(g.absent, d)
	case err != nil:
		return err
	default:
		g.leftOut = append(g.leftOut, d)
	}
	return nil
}

// follows says whether the child d of the index m goes into the archive.
func (g *gatherer) follows(m content.Manifest, d content.Descriptor) bool {
	switch {
	case g.chosen == nil || content.IsIndex(d.MediaType) || g.chosen[d.Digest]:
		return true
	case g.o.NoReferrers || !content.IsAttestation(d):
		return false
	}
	// An attestation goes with the child that it is about, which may be in this
	// archive under another index too.
	about := content.Digest(d.Annotations[referenceDigest])
	return g.chosen[about] && slices.ContainsFunc(m.Manifests, func(c content.Descriptor) bool { return c.Digest == about })
}

// referenceDigest is the annotation that names what an attestation is about.
const referenceDigest = "vnd.docker.reference.digest"

func disagree(d content.Descriptor, size int64) error {
	return content.AtDigest(d.Digest, content.Errorf(content.ErrSize, "one descriptor says %d bytes, another %d", d.Size, size))
}

// add lists a blob. data are its proven bytes, if they are known.
func (g *gatherer) add(src Source, d content.Descriptor, data []byte, foreign bool) error {
	if g.kept+len(data) > maxKept {
		data = nil
	}
	if b := g.blobs[d.Digest]; b != nil {
		if b.Size != d.Size {
			return disagree(d, b.Size)
		}
		if b.data == nil && data != nil {
			b.data, g.kept = data, g.kept+len(data)
		}
		b.foreign = b.foreign && foreign
		if b.src != src && !slices.Contains(b.others, src) {
			b.others = append(b.others, src)
		}
		return nil
	}
	if d.Size < 0 {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrSize, "descriptor says %d bytes", d.Size))
	}
	g.kept += len(data)
	g.blobs[d.Digest] = &blob{Descriptor: d, src: src, data: data, foreign: foreign}
	return nil
}

// inDigestOrder sorts blobs and drops those that are there twice.
func inDigestOrder(list []*blob) []*blob {
	slices.SortFunc(list, func(a, b *blob) int { return cmp.Compare(a.Digest, b.Digest) })
	return slices.Compact(list)
}

// locate settles where blobs come from and returns those that are there, in the
// same order. One that must be there and is not is ErrMissing, one of another size
// ErrSize. Unless all is set, those that must be there and have one source are
// taken to be.
func (g *gatherer) locate(ctx context.Context, list []*blob, all bool) ([]*blob, error) {
	gone := make([]bool, len(list))
	err := parallel(ctx, len(list), func(ctx context.Context, i int) (err error) {
		if all || list[i].foreign || len(list[i].others) > 0 {
			gone[i], err = list[i].locate(ctx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	here := list[:0]
	for i, b := range list {
		if gone[i] {
			g.absent = append(g.absent, b.Descriptor)
			delete(g.blobs, b.Digest)
			continue
		}
		here = append(here, b)
	}
	return here, nil
}

// locate settles on a source that has the blob, and says whether none has and
// none need.
func (b *blob) locate(ctx context.Context) (absent bool, err error) {
	if b.data != nil {
		return false, nil
	}
	for _, src := range append([]Source{b.src}, b.others...) {
		size, err := src.Size(ctx, b.Digest)
		if errors.Is(err, content.ErrNotFound) {
			continue
		}
		if err == nil && size != b.Size {
			err = content.AtDigest(b.Digest, sizeError(size, b.Size))
		}
		b.src = src
		return false, err
	}
	if b.foreign {
		return true, nil
	}
	return false, missing(b.Descriptor, "blob")
}

// report lists what is not in the archive, each once, by digest.
func (g *gatherer) report(list []content.Descriptor) []content.Descriptor {
	list = slices.DeleteFunc(slices.Clone(list), func(d content.Descriptor) bool { return g.blobs[d.Digest] != nil })
	return unique(list)
}

func unique(list []content.Descriptor) []content.Descriptor {
	slices.SortStableFunc(list, func(a, b content.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(list, func(a, b content.Descriptor) bool { return a.Digest == b.Digest })
}

// besides lists the manifests of a plan that an archive of images has no place
// for: all that were not taken.
func (g *gatherer) besides(taken map[content.Digest]bool) []content.Descriptor {
	list := slices.Clone(g.leftOut)
	for _, n := range g.nodes {
		if !n.absent && !taken[n.Digest] && !content.IsIndex(n.MediaType) {
			list = append(list, n.Descriptor)
		}
	}
	return unique(list)
}

// missingLayer says that what was not found is content that must be there.
func missingLayer(err error) error {
	if errors.Is(err, content.ErrNotFound) {
		return content.Errorf(content.ErrMissing, "%w", err)
	}
	return err
}
