package verify

import (
	"context"
	"fmt"
	"slices"
	"sync"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
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
		t = &target{size: sizeUnknown}
		c.targets[d] = t
	}
	return t
}

// claim notes what a descriptor says, unless the same was said before.
func (t *target) claim(n claim) {
	for _, have := range t.claims {
		if have.size == n.size && have.mediaType == n.mediaType && have.role == n.role && n.platform == nil {
			return
		}
	}
	t.claims = append(t.claims, n)
}

// graph reads every manifest that the entries reach, level by level: parents
// before children, and within a level as many at once as there are workers.
func (c *checker) graph(ctx context.Context, entries []entry) error {
	level := make([]content.Descriptor, 0, len(entries))
	for _, e := range entries {
		c.target(e.desc.Digest).claim(claim{e.desc.Size, e.desc.MediaType, "", "", e.n, e.platform})
		if fallbackTag().MatchString(e.name) {
			c.lists[e.desc.Digest] = true
		}
		level = append(level, e.desc)
	}
	for depth := 0; len(level) > 0; depth++ {
		level = c.unread(level)
		if len(level) > 0 && depth > c.limits.Depth {
			c.errorf(Depth, at{digest: level[0].Digest}, "manifests nest deeper than %d", c.limits.Depth)
			return nil
		}
		var next []content.Descriptor
		for chunk := range slices.Chunk(level, 256) { // so that little is held at once
			results, err := c.readLevel(ctx, chunk)
			if err != nil {
				return err
			}
			for _, result := range results {
				next = append(next, c.merge(result)...)
			}
		}
		level = next
	}
	return nil
}

// unread leaves of the descriptors those of manifests that were not read yet.
func (c *checker) unread(level []content.Descriptor) []content.Descriptor {
	var fresh []content.Descriptor
	for _, d := range level {
		if !content.HasEdges(d.MediaType) || c.manifests[d.Digest] != nil {
			continue
		}
		if len(c.manifests) >= c.limits.Nodes {
			c.errorf(TooLarge, at{digest: d.Digest}, "more than %d manifests", c.limits.Nodes)
			return nil
		}
		c.manifests[d.Digest] = &verdict{}
		fresh = append(fresh, d)
	}
	return fresh
}

// reading is what a worker found in one manifest.
type reading struct {
	desc   content.Descriptor
	size   int64 // sizeAbsent if it is not there
	read   bool  // its bytes are proven
	parsed bool
	m      content.Manifest
	config *configReading // of an image whose config is there
}

type configReading struct {
	digest content.Digest
	size   int64
	read   bool
	parsed bool
	image  ocispec.Image
}

func (c *checker) readLevel(ctx context.Context, level []content.Descriptor) ([]reading, error) {
	results := make([]reading, len(level))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.workers)
	for i, d := range level {
		g.Go(func() error {
			var err error
			results[i], err = c.readManifest(ctx, d)
			return err
		})
	}
	return results, g.Wait()
}

// readManifest reads and judges one manifest and, of an image, its config.
func (c *checker) readManifest(ctx context.Context, d content.Descriptor) (reading, error) {
	out := reading{desc: d}
	where := blobAt(d.Digest)
	data, size, err := c.readBlob(ctx, d.Digest, c.limits.Manifest)
	out.size = size
	if err != nil || data == nil {
		return out, err
	}
	out.read = true
	if !c.strict(where, data, c.limits.Depth) || !c.decode(where, data, &out.m, ManifestInvalid) {
		return out, nil
	}
	out.parsed = true
	c.manifest(where, d.MediaType, &out.m)
	if out.m.Config != nil && content.IsImageConfig(out.m.Config.MediaType) && content.CheckDigest(out.m.Config.Digest) == nil {
		out.config, err = c.readConfig(ctx, *out.m.Config)
		if err == nil && out.config.parsed {
			c.config(blobAt(out.m.Config.Digest), &out.config.image, &out.m)
		}
	}
	return out, err
}

// readConfig reads and judges a config by itself. Images often share one, so the
// last ones are kept.
func (c *checker) readConfig(ctx context.Context, d content.Descriptor) (*configReading, error) {
	if kept, ok := c.configs.get(d.Digest); ok {
		return kept, nil
	}
	data, size, err := c.readBlob(ctx, d.Digest, c.limits.Manifest)
	out := &configReading{digest: d.Digest, size: size}
	if err != nil || data == nil {
		return out, err
	}
	out.read = true
	where := blobAt(d.Digest)
	out.parsed = c.strict(where, data, c.limits.Depth) && c.decode(where, data, &out.image, ManifestInvalid)
	c.configs.put(out)
	return out, nil
}

// configCache keeps some configs.
type configCache struct {
	mu   sync.Mutex
	kept map[content.Digest]*configReading
}

func (k *configCache) get(d content.Digest) (*configReading, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.kept[d]
	return c, ok
}

func (k *configCache) put(c *configReading) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil || len(k.kept) >= 64 {
		k.kept = map[content.Digest]*configReading{}
	}
	k.kept[c.digest] = c
}

// merge enters what a worker found and returns the children to read next.
func (c *checker) merge(r reading) []content.Descriptor {
	t := c.target(r.desc.Digest)
	t.size = r.size
	if r.read && !t.read {
		t.read = true
		c.count(r.size)
	}
	if !r.parsed {
		return nil
	}
	c.checked.Manifests++
	v := c.manifests[r.desc.Digest]
	v.read = true
	v.mediaType, v.index, v.artifactType = c.intern(r.m.MediaType), content.IsIndex(r.desc.MediaType), c.intern(r.m.EffectiveArtifactType())
	if v.index {
		v.artifactType = r.m.ArtifactType
	}
	if c.lists[r.desc.Digest] {
		for _, d := range r.m.Manifests {
			v.listed = append(v.listed, listed{d.Digest, c.intern(d.ArtifactType)})
		}
	}
	var next []content.Descriptor
	for i, e := range r.m.Edges() {
		if content.CheckDigest(e.To.Digest) != nil {
			continue // told when the manifest was judged
		}
		mediaType := c.intern(e.To.MediaType)
		c.target(e.To.Digest).claim(claim{e.To.Size, mediaType, e.Role, r.desc.Digest, edgePlace(&r.m, i, e.Role), childPlatform(e.To)})
		if e.Role == content.RoleSubject {
			v.subject = e.To.Digest
		}
		if content.HasEdges(e.To.MediaType) {
			next = append(next, content.Descriptor{MediaType: mediaType, Digest: e.To.Digest})
		}
	}
	c.mergeConfig(v, r)
	return next
}
