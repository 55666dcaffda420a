package verify

import (
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// manifest holds what m says to what content of this media type must have.
func (c *checker) manifest(where at, mediaType string, m *content.Manifest, edges []content.Edge) {
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
	for i := range edges {
		e := &edges[i]
		if !plainDescriptor(&e.To) {
			c.descriptor(where, descriptorName(e.Role, edgePlace(m, i, e.Role)), e.To)
		}
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
