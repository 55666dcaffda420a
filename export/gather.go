package export

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
)

// A step is an edge that the gatherer goes along.
type step struct {
	id          digestID
	mediaType   wordID
	platform    platformID
	src         sourceID
	mayBeAbsent bool
	list        bool // of referrers, which may be long
	only        condition
	size        int64
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
	*graph
	o      Options
	chosen map[digestID]bool // children that Platforms selected; nil for all
	read   []loaded          // of the batch in hand
	rooms  []slab            // of the workers
}

// batchCount and batchBytes bound the manifests that are in memory at once.
const (
	batchCount = 1024
	batchBytes = 4 << 20
)

func newGatherer(o Options) *gatherer {
	return &gatherer{graph: newGraph(), o: o, rooms: make([]slab, runtime.GOMAXPROCS(0))}
}

// walk visits everything from the steps on, one level of the graph after another.
func (g *gatherer) walk(ctx context.Context, level []step, depth int) error {
	for ; len(level) > 0; depth++ {
		if depth > g.o.Limits.Depth {
			return content.AtDigest(g.digest(level[0].id), content.Errorf(content.ErrRefused, "manifests nest deeper than %d", g.o.Limits.Depth))
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
	for n < len(steps) && n < batchCount && (n == 0 || bytes+steps[n].size <= batchBytes) {
		bytes += steps[n].size
		n++
	}
	return n
}

// visit reads the manifests of some steps and returns the steps behind them. Until
// the next call read tells what was read for each of them; nothing for what has its
// node already.
func (g *gatherer) visit(ctx context.Context, steps []step) ([]step, error) {
	g.read = append(g.read[:0], make([]loaded, len(steps))...)
	for i := range g.rooms {
		g.rooms[i].reset()
	}
	fresh, err := g.fresh(steps)
	if err != nil {
		return nil, err
	}
	err = workers(ctx, len(fresh), func(ctx context.Context, worker, i int) (err error) {
		g.read[fresh[i]], err = g.readManifest(ctx, steps[fresh[i]], &g.rooms[worker])
		return err
	})
	if err != nil {
		return nil, err
	}
	var next []step
	for _, i := range fresh {
		steps, err := g.take(ctx, steps[i], &g.read[i])
		if err != nil {
			return nil, err
		}
		next = append(next, steps...)
	}
	if g.nodes.len() > g.o.Limits.Nodes {
		return nil, content.Errorf(content.ErrRefused, "more than %d manifests", g.o.Limits.Nodes)
	}
	return next, nil
}

// fresh lists the steps to manifests that were not read yet.
func (g *gatherer) fresh(steps []step) ([]int, error) {
	type key struct {
		id   digestID
		size int64
		src  sourceID
		only condition
	}
	fresh := make([]int, 0, len(steps))
	asked := make(map[key]bool, len(steps))
	for i, s := range steps {
		k := key{s.id, s.size, s.src, s.only}
		n := g.node(s.id)
		if n != nil && g.item(s.id).size != s.size {
			return nil, g.disagree(s.id, s.size)
		}
		if asked[k] || n != nil && !(n.is(isAbsent) && n.src != s.src) {
			continue
		}
		asked[k] = true
		fresh = append(fresh, i)
	}
	return fresh, nil
}

// parallel calls fn for 0 to n-1 on all cores, beginning in order. The first error
// ends it.
func parallel(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	return workers(ctx, n, func(ctx context.Context, _, i int) error { return fn(ctx, i) })
}

// workers is parallel, and tells fn which worker calls it: one of as many as there
// are cores.
func workers(ctx context.Context, n int, fn func(ctx context.Context, worker, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for worker := range min(runtime.GOMAXPROCS(0), n) {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				if err := fn(ctx, worker, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// take files a manifest that was read and returns the steps to its children.
func (g *gatherer) take(ctx context.Context, s step, l *loaded) ([]step, error) {
	n := node{id: s.id, src: s.src, mediaType: s.mediaType}
	m := l.manifest
	switch {
	case g.here(s.id) != nil && g.item(s.id).size != s.size:
		return nil, g.disagree(s.id, s.size) // in one batch
	case g.here(s.id) != nil:
		return nil, nil
	case l.absent:
		n.flags = isAbsent
		g.enter(n, s.size)
		g.absent = append(g.absent, s.mention())
		return nil, nil
	case l.opaque:
		g.enter(n, s.size)
		return nil, g.add(s.src, s.id, s.size, nil, false)
	case !s.only.holds(m):
		if s.only == unlessReferrer {
			g.leftOut = append(g.leftOut, s.mention())
		}
		return nil, nil
	}
	l.taken = true
	n.mediaType, n.platform = g.words.id(shape(m)), g.platforms.id(l.platform)
	if m.IsImage() {
		n.flags = isImage
	}
	if m.ArtifactType != "" || !content.IsIndex(g.mediaType(&n)) && !m.IsImage() {
		n.artifactType = g.words.id(m.EffectiveArtifactType())
	}
	if m.Subject != nil {
		n.subject = g.id(m.Subject.Digest)
	}
	if m.Config != nil {
		n.config = g.id(m.Config.Digest)
	}
	n.firstDiff, n.diffs = uint32(g.diffIDs.len()), uint32(len(l.diffIDs))
	for _, d := range l.diffIDs {
		g.diffIDs.add(g.id(d))
	}
	if err := g.add(s.src, s.id, s.size, l.data, false); err != nil {
		return nil, err
	}
	steps, err := g.edges(ctx, &n, m, l.config)
	g.enter(n, s.size)
	return steps, err
}

func (s step) mention() mention { return mention{s.id, s.mediaType, s.platform, s.size} }

// edges adds the blobs of a manifest and returns the steps to its children.
func (g *gatherer) edges(ctx context.Context, n *node, m content.Manifest, config []byte) ([]step, error) {
	if c := m.Config; c != nil {
		if err := g.add(n.src, n.config, c.Size, config, false); err != nil {
			return nil, err
		}
	}
	n.first = uint32(g.layers.len())
	for _, list := range [][]content.Descriptor{m.Layers, m.Blobs} {
		for _, d := range list {
			l := layer{g.id(d.Digest), g.words.id(d.MediaType)}
			g.layers.add(l)
			n.count++
			if err := g.add(n.src, l.id, d.Size, nil, content.IsForeign(d.MediaType)); err != nil {
				return nil, err
			}
		}
	}
	if m.Manifests == nil {
		return nil, nil
	}
	n.first, n.count = uint32(g.children.len()), 0
	n.flags |= isParent
	var next []step
	for _, d := range m.Manifests {
		if !g.follows(m, d) {
			if err := g.leaveOut(ctx, n.src, d); err != nil {
				return nil, err
			}
			continue
		}
		to := g.mention(d)
		g.children.add(child{to.id, to.platform, content.IsAttestation(d)})
		n.count++
		next = append(next, step{id: to.id, mediaType: to.mediaType, platform: to.platform, size: d.Size, src: n.src, mayBeAbsent: true})
	}
	return next, nil
}

// leaveOut notes a child of other platforms; it is absent if it could not have
// been taken anyway.
func (g *gatherer) leaveOut(ctx context.Context, src sourceID, d content.Descriptor) error {
	switch _, err := g.sources[src].Size(ctx, d.Digest); {
	case errors.Is(err, content.ErrNotFound):
		g.absent = append(g.absent, g.mention(d))
	case err != nil:
		return err
	default:
		g.leftOut = append(g.leftOut, g.mention(d))
	}
	return nil
}

// follows says whether the child d of the index m goes into the archive.
func (g *gatherer) follows(m content.Manifest, d content.Descriptor) bool {
	switch {
	case g.chosen == nil || content.IsIndex(d.MediaType) || g.chosen[g.find(d.Digest)]:
		return true
	case g.o.NoReferrers || !content.IsAttestation(d):
		return false
	}
	// An attestation goes with the child that it is about, which may be in this
	// archive under another index too.
	about := content.Digest(d.Annotations[content.AnnotationReferenceDigest])
	if !g.chosen[g.find(about)] {
		return false
	}
	for _, c := range m.Manifests {
		if c.Digest == about {
			return true
		}
	}
	return false
}
