package verify

import (
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// manifest holds what m says to what content of this media type must have.
func (c *checker) manifest(where at, mediaType string, m *content.Manifest) {
	isIndex := content.IsIndex(mediaType)
	switch {
	case m.MediaType != "" && m.MediaType != mediaType:
		c.errorf(MediaType, where, "says it is %q, its descriptor says %q", truncate(m.MediaType), mediaType)
	case m.Manifests != nil && (m.Layers != nil || m.Config != nil):
		c.errorf(JSONAmbiguous, where, "has manifests beside config or layers")
	case isIndex && m.Manifests == nil && (m.Layers != nil || m.Config != nil),
		!isIndex && m.Manifests != nil:
		c.errorf(MediaType, where, "is not a %s", mediaType)
	case isIndex && m.Manifests == nil:
		c.errorf(ManifestInvalid, where, "has no manifests")
	case isImageManifest(mediaType) && m.Config == nil:
		c.errorf(ManifestInvalid, where, "has no config")
	case isImageManifest(mediaType) && m.Layers == nil:
		c.errorf(ManifestInvalid, where, "has no layers")
	}
	if (isIndex || isImageManifest(mediaType)) && m.SchemaVersion != 2 {
		c.errorf(ManifestInvalid, where, "schemaVersion is %d, must be 2", m.SchemaVersion)
	}
	for i, e := range m.Edges() {
		c.descriptor(where, descriptorName(e.Role, edgePlace(m, i, e.Role)), e.To)
	}
}

// isImageManifest says whether a media type is one of those whose manifests have a
// config and layers; the retired artifact manifests have neither.
func isImageManifest(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageManifest || mediaType == content.DockerManifest
}

// edgePlace is the place of edge i of m among those of its role.
func edgePlace(m *content.Manifest, i int, role content.Role) int {
	if m.Config != nil {
		i--
	}
	if role == content.RoleManifest {
		i -= len(m.Layers) + len(m.Blobs)
	}
	return i
}

// childPlatform is the platform that an index gives a child, if it is one: that of
// an attestation is not.
func childPlatform(d content.Descriptor) *content.Platform {
	if d.Platform == nil || content.IsAttestation(d) {
		return nil
	}
	return d.Platform
}

// config holds an image's config to its manifest.
func (c *checker) config(where at, image *ocispec.Image, m *content.Manifest) {
	if image.RootFS.Type != "" && image.RootFS.Type != "layers" {
		c.errorf(ManifestInvalid, where, "rootfs.type is %q, must be layers", truncate(image.RootFS.Type))
	}
	if len(image.RootFS.DiffIDs) != len(m.Layers) {
		c.errorf(DiffID, where, "has %d diffIDs, the manifest has %d layers", len(image.RootFS.DiffIDs), len(m.Layers))
	}
	for i, d := range image.RootFS.DiffIDs {
		if err := content.CheckDigest(d); err != nil {
			c.errorf(DigestInvalid, where, "diffID %d: %s", i, truncate(err.Error()))
		}
	}
	if image.History == nil {
		return
	}
	layers := 0
	for _, h := range image.History {
		if !h.EmptyLayer {
			layers++
		}
	}
	if layers != len(m.Layers) {
		c.warnf(HistoryLength, where, "history is of %d layers, the manifest has %d", layers, len(m.Layers))
	}
}

// mergeConfig enters what a config says of its image and of the layers.
func (c *checker) mergeConfig(v *verdict, r reading) {
	if r.config == nil {
		return
	}
	t := c.target(r.config.digest)
	t.size = r.config.size
	if r.config.read && !t.read {
		t.read = true
		c.count(r.config.size)
	}
	if !r.config.parsed {
		return
	}
	image := &r.config.image
	v.platform = &image.Platform
	if len(image.RootFS.DiffIDs) != len(r.m.Layers) {
		return
	}
	for i, layer := range r.m.Layers {
		want := diffClaim{image.RootFS.DiffIDs[i], r.config.digest}
		switch {
		case content.CheckDigest(want.diffID) != nil || content.CheckDigest(layer.Digest) != nil:
		case content.IsLayer(layer.MediaType):
			c.target(layer.Digest).diffID(want)
		case want.diffID != layer.Digest && layer.MediaType != "":
			where := blobAt(r.desc.Digest)
			where.digest = layer.Digest
			c.notef(Opaque, where, "layer %d is of type %q, its diffID is not checked", i, truncate(layer.MediaType))
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
