package verify

import (
	"context"
	"sync"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// configReading is what a worker found in a config, and what is kept of it: many
// images may share one.
type configReading struct {
	once    sync.Once
	digest  content.Digest
	size    int64
	read    bool
	parsed  bool
	rootfs  string // its type
	diffIDs []content.Digest
	history int // the layers that it is of; -1 if there is none
	content.Platform
}

// configs are those that were read, each once.
type configs struct {
	mu   sync.Mutex
	byID map[content.Digest]*configReading
}

func (k *configs) get(d content.Digest) *configReading {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.byID[d]
	if c == nil {
		c = &configReading{digest: d}
		k.byID[d] = c
	}
	return c
}

// readConfig reads and judges a config by itself, if nobody has yet.
func (c *checker) readConfig(ctx context.Context, d content.Digest, s *scratch) (*configReading, error) {
	r := c.configs.get(d)
	var err error
	r.once.Do(func() { err = c.fillConfig(ctx, r, s) })
	return r, err
}

func (c *checker) fillConfig(ctx context.Context, r *configReading, s *scratch) error {
	data, size, err := c.readBlob(ctx, r.digest, c.limits.Manifest, s.config[:])
	r.size = size
	if err != nil || data == nil {
		return err
	}
	r.read = true
	c.kept.keep(r.digest, data)
	where := blobAt(r.digest)
	var image ocispec.Image
	if !c.strict(where, data, c.limits.Depth) || !c.decode(where, data, &image, ManifestInvalid) {
		return nil
	}
	r.parsed = true
	r.Platform, r.rootfs, r.diffIDs = image.Platform, image.RootFS.Type, image.RootFS.DiffIDs
	r.history = -1
	if image.History != nil {
		r.history = 0
	}
	for _, h := range image.History {
		if !h.EmptyLayer {
			r.history++
		}
	}
	return nil
}

// config holds an image's config to its manifest.
func (c *checker) config(where at, r *configReading, m *content.Manifest) {
	if r.rootfs != "" && r.rootfs != "layers" {
		c.errorf(ManifestInvalid, where, "rootfs.type is %q, must be layers", truncate(r.rootfs))
	}
	if len(r.diffIDs) != len(m.Layers) {
		c.errorf(DiffID, where, "has %d diffIDs, the manifest has %d layers", len(r.diffIDs), len(m.Layers))
	}
	for i, d := range r.diffIDs {
		if err := content.CheckDigest(d); err != nil {
			c.errorf(DigestInvalid, where, "diffID %d: %s", i, truncate(err.Error()))
		}
	}
	if r.history >= 0 && r.history != len(m.Layers) {
		c.warnf(HistoryLength, where, "history is of %d layers, the manifest has %d", r.history, len(m.Layers))
	}
}

// mergeConfig enters what a config says of its image and of the layers.
func (c *checker) mergeConfig(v *verdict, r *reading) {
	if r.config == nil {
		return
	}
	c.enter(r.config.digest, r.config.size, r.config.read)
	if !r.config.parsed {
		return
	}
	v.platform = &r.config.Platform
	if len(r.config.diffIDs) != len(r.m.Layers) {
		return
	}
	for i, layer := range r.m.Layers {
		want := diffClaim{r.config.diffIDs[i], r.config.digest}
		switch {
		case content.CheckDigest(want.diffID) != nil || content.CheckDigest(layer.Digest) != nil:
		case content.IsLayer(layer.MediaType):
			c.target(layer.Digest).diffID(want)
		case want.diffID != layer.Digest && layer.MediaType != "":
			where := blobAt(r.digest)
			where.digest = layer.Digest
			c.notef(Opaque, where, "layer %d is of type %q, its diffID is not checked", i+1, truncate(layer.MediaType))
		}
	}
}

// diffID notes what a config expects of a layer, each diffID once.
func (t *target) diffID(want diffClaim) {
	for _, have := range t.diffIDs {
		if have.diffID == want.diffID {
			return
		}
	}
	t.diffIDs = append(t.diffIDs, want)
}
