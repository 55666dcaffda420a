package verify

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A target is content that something refers to, or a blob that nothing does.
type target struct {
	claims  []claim
	diffIDs []diffClaim
	size    int64 // as it lies there; -1 until known, absent is -2
	read    bool  // its bytes have been hashed
}

const (
	sizeUnknown int64 = -1
	sizeAbsent  int64 = -2
)

// A claim is what one descriptor says of a target.
type claim struct {
	size      int64
	mediaType string
	role      content.Role   // "" for a root
	parent    content.Digest // the manifest with the descriptor; "" for a root
	n         int            // its place among those of its role
	platform  *content.Platform
}

// where is the file with the descriptor.
func (cl claim) where(target content.Digest) at {
	switch {
	case cl.parent != "":
		return at{blobAt(cl.parent).path, target}
	case cl.n < 0:
		return at{"", target}
	}
	return at{indexFile.path, target}
}

// what is the descriptor in words.
func (cl claim) what() string { return descriptorName(cl.role, cl.n) }

func descriptorName(role content.Role, n int) string {
	switch {
	case role == "" && n < 0:
		return "the root"
	case role == "":
		return fmt.Sprintf("entry %d", n)
	case role == content.RoleConfig || role == content.RoleSubject:
		return "the " + string(role)
	case role == content.RoleLayer:
		return fmt.Sprintf("layer %d", n+1) // as everywhere, from 1
	}
	return fmt.Sprintf("%s %d", role, n)
}

// A diffClaim is what a config says a layer's uncompressed bytes hash to.
type diffClaim struct {
	diffID content.Digest
	config content.Digest
}

// A verdict is what is kept of a manifest that was read.
type verdict struct {
	read         bool   // it was there and could be decoded
	mediaType    string // of its own; "" if it says none
	artifactType string // as a referrers list has it
	index        bool
	listed       []listed // the children of a list of referrers
	subject      content.Digest
	platform     *content.Platform // of its image
	image        bool              // a manifest of an image that can run
	children     []child           // of an index, where something is required of images
}

// child is a manifest in an index.
type child struct {
	pointer
	platform *content.Platform // as the index has it
	attests  bool              // about another one
}

// listed is what a list of referrers says of one.
type listed struct {
	digest       content.Digest
	artifactType string
}

// target returns the target of a digest, a new one if it is not known yet.
func (c *checker) target(d content.Digest) *target {
	t := c.targets[d]
	if t == nil {
		t = c.room.target()
		t.size = sizeUnknown
		c.targets[d] = t
	}
	return t
}

// claim notes what a descriptor says of d, unless the same was said before.
func (c *checker) claim(d content.Digest, n claim) {
	t := c.target(d)
	if t.claims == nil {
		t.claims = c.room.claim(n)
		return
	}
	for _, have := range t.claims {
		if have.size == n.size && have.mediaType == n.mediaType && have.role == n.role && n.platform == nil {
			return
		}
	}
	t.claims = append(t.claims, n)
}

// A pointer is of a descriptor what it takes to read what it points to.
type pointer struct {
	mediaType string
	digest    content.Digest
}

// graph reads every manifest that the entries reach, level by level: parents
// before children, and within a level as many at once as there are workers.
func (c *checker) graph(ctx context.Context, entries []entry) error {
	level := make([]pointer, 0, len(entries))
	for _, e := range entries {
		c.claim(e.digest, claim{e.size, e.mediaType, "", "", e.n, e.platform})
		if isFallbackTag(e.name) {
			c.lists[e.digest] = true
		}
		level = append(level, pointer{e.mediaType, e.digest})
	}
	progress := newManifestProgress(ctx)
	defer func() { progress.end(&c.checked) }()
	for depth := 0; len(level) > 0; depth++ {
		level = c.unread(level)
		if len(level) > 0 && depth > c.limits.Depth {
			c.errorf(Depth, at{digest: level[0].digest}, "manifests nest deeper than %d", c.limits.Depth)
			return nil
		}
		var next []pointer
		err := c.readLevel(ctx, level, func(results []reading) {
			for i := range results {
				next = c.merge(&results[i], next)
			}
			progress.step(&c.checked)
		})
		if err != nil {
			return err
		}
		level = next
	}
	return nil
}

// How many manifests are read before they are merged, and about how many bytes of them.
const (
	levelChunk = 512
	chunkBytes = 16 << 20
)

// unread leaves of the pointers those to manifests that were not read yet.
func (c *checker) unread(level []pointer) []pointer {
	fresh := level[:0]
	for _, d := range level {
		if !content.HasEdges(d.mediaType) || c.manifests[d.digest] != nil {
			continue
		}
		if len(c.manifests) >= c.limits.Nodes {
			c.errorf(TooLarge, at{digest: d.digest}, "more than %d manifests", c.limits.Nodes)
			return nil
		}
		c.manifests[d.digest] = c.room.verdict()
		fresh = append(fresh, d)
	}
	return fresh
}

// reading is what a worker found in one manifest.
type reading struct {
	pointer
	size   int64 // sizeAbsent if it is not there
	read   bool  // its bytes are proven
	parsed bool
	m      content.Manifest
	edges  []content.Edge
	config *configReading // of an image whose config is there
}

// readLevel reads manifests, chunk by chunk, and calls merge with what was found in
// each while the next one is read.
func (c *checker) readLevel(ctx context.Context, level []pointer, merge func([]reading)) error {
	g, ctx := errgroup.WithContext(ctx)
	free, full := make(chan []reading, 2), make(chan []reading)
	for range cap(free) {
		free <- make([]reading, min(levelChunk, len(level)))
	}
	g.Go(func() error {
		defer close(full)
		for len(level) > 0 {
			results := <-free
			n, err := c.readChunk(ctx, level, results)
			if err != nil {
				return err
			}
			full <- results[:n]
			level = level[n:]
		}
		return nil
	})
	for results := range full {
		merge(results)
		free <- results[:cap(results)]
	}
	return g.Wait()
}

// readChunk reads the first manifests of level into results, and says how many.
func (c *checker) readChunk(ctx context.Context, level []pointer, results []reading) (int, error) {
	most := min(len(level), len(results))
	var taken, held atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(c.workers, most) {
		g.Go(func() error {
			s := scratches.Get().(*scratch)
			defer scratches.Put(s)
			for held.Load() < chunkBytes {
				i := int(taken.Add(1)) - 1
				if i >= most {
					return nil
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				var err error
				if results[i], err = c.readManifest(ctx, level[i], s); err != nil {
					return err
				}
				held.Add(max(results[i].size, 0))
			}
			return nil
		})
	}
	err := g.Wait()
	return min(int(taken.Load()), most), err
}

// A scratch is the room of one worker for a manifest and its config, if they are
// small.
type scratch struct{ manifest, config [smallBlob]byte }

// smallBlob is up to where a manifest or config is read in one go.
const smallBlob = 64 << 10

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// readManifest reads and judges one manifest and, of an image, its config.
func (c *checker) readManifest(ctx context.Context, p pointer, s *scratch) (reading, error) {
	out := reading{pointer: p}
	where := blobAt(p.digest)
	most := c.limits.Manifest
	if c.lists[p.digest] {
		most = c.limits.Index // one subject may have very many referrers
	}
	data, size, err := c.readBlob(ctx, p.digest, most, s.manifest[:])
	out.size = size
	if err != nil || data == nil {
		return out, err
	}
	out.read = true
	c.kept.keep(p.digest, data)
	if !c.strict(where, data, c.limits.Depth) || !c.decodeManifest(where, data, &out.m) {
		return out, nil
	}
	out.parsed = true
	out.edges = out.m.Edges()
	c.manifest(where, p.mediaType, &out.m, out.edges)
	if d := out.m.Config; d != nil && content.IsImageConfig(d.MediaType) && content.CheckDigest(d.Digest) == nil {
		out.config, err = c.readConfig(ctx, d.Digest, s)
		if err == nil && out.config.parsed {
			c.config(blobAt(d.Digest), out.config, &out.m)
		}
	}
	return out, err
}

// decodeManifest decodes what is strictly JSON, by the quick decoder where that leaves
// no doubt.
func (c *checker) decodeManifest(where at, data []byte, m *content.Manifest) bool {
	quick, err := layout.ParseManifest("", data)
	if err != nil || content.IsRetired(quick.MediaType) { // of these it makes one form of two
		return c.decode(where, data, m, ManifestInvalid)
	}
	*m = quick
	return true
}

// merge enters what a worker found and adds the children to be read to next.
func (c *checker) merge(r *reading, next []pointer) []pointer {
	c.enter(r.digest, r.size, r.read)
	if !r.parsed {
		return next
	}
	c.checked.Manifests++
	v := c.manifests[r.digest]
	v.read = true
	v.mediaType, v.index, v.artifactType = c.intern(r.m.MediaType), content.IsIndex(r.mediaType), c.intern(r.m.EffectiveArtifactType())
	v.image = !v.index && r.m.IsImage()
	if v.index {
		v.artifactType = r.m.ArtifactType
	}
	if c.lists[r.digest] {
		for _, d := range r.m.Manifests {
			v.listed = append(v.listed, listed{d.Digest, c.intern(d.ArtifactType)})
		}
	}
	for i := range r.edges {
		e := &r.edges[i]
		if content.CheckDigest(e.To.Digest) != nil {
			continue // told when the manifest was judged
		}
		mediaType := c.intern(e.To.MediaType)
		platform := childPlatform(e.To)
		c.claim(e.To.Digest, claim{e.To.Size, mediaType, e.Role, r.digest, edgePlace(&r.m, i, e.Role), platform})
		switch {
		case e.Role == content.RoleSubject:
			v.subject = e.To.Digest
		case e.Role == content.RoleManifest && c.o.required():
			v.children = append(v.children, child{pointer{mediaType, e.To.Digest}, platform, content.IsAttestation(e.To)})
		}
		if content.HasEdges(e.To.MediaType) {
			next = append(next, pointer{mediaType, e.To.Digest})
		}
	}
	c.mergeConfig(v, r)
	return next
}

// enter notes the size of a blob that was to be read, and whether it was.
func (c *checker) enter(d content.Digest, size int64, read bool) {
	t := c.target(d)
	t.size = size
	if read && !t.read {
		t.read = true
		c.count(size)
	}
}
