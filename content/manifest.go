package content

import (
	"context"
	"encoding/json"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Manifest is what the manifests and indexes that we read have in common. It is
// for looking, not for writing: encoding it would lose what it does not know.
type Manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *Descriptor       `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Blobs         []Descriptor      `json:"blobs"` // of the retired artifact manifests
	Manifests     []Descriptor      `json:"manifests"`
	Subject       *Descriptor       `json:"subject"`
	Refers        *Descriptor       `json:"refers"` // earlier name of subject in the retired artifact manifests
	Annotations   map[string]string `json:"annotations"`
}

// ParseManifest reads the bytes of a manifest or index. What is not JSON, or not
// an object of the shape of a manifest, is ErrCorrupt. One that could be read both
// as an image and as an index is ErrCorrupt too, whatever mediaType says: two
// tools would see two things in it.
func ParseManifest(mediaType string, data []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, Errorf(ErrCorrupt, "not a manifest: %w", err)
	}
	return CheckManifest(mediaType, m)
}

// CheckManifest is what ParseManifest does once it has decoded a manifest.
func CheckManifest(mediaType string, m Manifest) (Manifest, error) {
	if m.Manifests != nil && (m.Layers != nil || m.Config != nil) {
		return Manifest{}, Errorf(ErrCorrupt, "manifest has manifests beside config or layers")
	}
	if m.MediaType != "" && mediaType != "" && m.MediaType != mediaType {
		return Manifest{}, Errorf(ErrCorrupt, "manifest says it is %q, its descriptor says %q", m.MediaType, mediaType)
	}
	if m.MediaType == "" {
		m.MediaType = mediaType
	}
	if m.Subject == nil && IsRetired(m.MediaType) {
		m.Subject = m.Refers
	}
	return m, nil
}

// IsImage says whether the manifest is that of an image that can run, by its
// config's media type; an artifact in the form of an image manifest is not.
func (m Manifest) IsImage() bool {
	return m.Config != nil && IsImageConfig(m.Config.MediaType) && m.ArtifactType == ""
}

// EffectiveArtifactType is the artifactType that a registry's referrers API gives:
// the manifest's own, or of an image manifest its config's media type
// (distribution-spec, "Listing Referrers").
func (m Manifest) EffectiveArtifactType() string {
	if m.ArtifactType == "" && m.Config != nil {
		return m.Config.MediaType
	}
	return m.ArtifactType
}

// FetchManifest fetches and parses a manifest or index of at most limits.Manifest
// bytes, and returns its proven bytes with it.
func FetchManifest(ctx context.Context, f Fetcher, desc Descriptor, limits Limits) (Manifest, []byte, error) {
	data, err := FetchAll(ctx, f, desc, limits.WithDefaults().Manifest)
	if err != nil {
		return Manifest{}, nil, err
	}
	m, err := ParseManifest(desc.MediaType, data)
	return m, data, AtDigest(desc.Digest, err)
}

// FetchConfig fetches and parses an image's config (image-spec config.md). The
// bytes come with it, since what the type does not know is only there.
func FetchConfig(ctx context.Context, f Fetcher, desc Descriptor, limits Limits) (ocispec.Image, []byte, error) {
	data, err := FetchAll(ctx, f, desc, limits.WithDefaults().Manifest)
	if err != nil {
		return ocispec.Image{}, nil, err
	}
	var image ocispec.Image
	if err := json.Unmarshal(data, &image); err != nil {
		return ocispec.Image{}, nil, AtDigest(desc.Digest, Errorf(ErrCorrupt, "not an image config: %w", err))
	}
	return image, data, nil
}
