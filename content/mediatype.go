package content

import (
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types beside those of image-spec that we read.
const (
	DockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	DockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig       = "application/vnd.docker.container.image.v1+json"
	DockerLayer        = "application/vnd.docker.image.rootfs.diff.tar"
	DockerLayerGzip    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	DockerLayerZstd    = "application/vnd.docker.image.rootfs.diff.tar.zstd"
	DockerForeignLayer = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

	// The retired artifact manifests: read, never written.
	OCIArtifactManifest  = "application/vnd.oci.artifact.manifest.v1+json"
	ORASArtifactManifest = "application/vnd.cncf.oras.artifact.manifest.v1+json"
)

// Annotations that entries carry, beside those of image-spec.
const (
	// AnnotationImageName is the full name of an image; it goes before ref.name.
	AnnotationImageName = "io.containerd.image.name"
	// AnnotationRefName is a tag, or with some tools a full name.
	AnnotationRefName = ocispec.AnnotationRefName
	// AnnotationSubject names the subject of an untagged referrer in an archive.
	AnnotationSubject = "io.containerd.manifest.subject"
	// AnnotationReferenceType marks BuildKit's attestation children.
	AnnotationReferenceType = "vnd.docker.reference.type"
	// AnnotationReferenceDigest names the child that such a one attests.
	AnnotationReferenceDigest = "vnd.docker.reference.digest"
)

// IsIndex says whether a media type is that of an image index or manifest list.
func IsIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == DockerManifestList
}

// IsManifest says whether a media type is that of a manifest with one config or
// a list of blobs: of an image, or of an artifact in a current or retired form.
func IsManifest(mediaType string) bool {
	switch mediaType {
	case ocispec.MediaTypeImageManifest, DockerManifest, OCIArtifactManifest, ORASArtifactManifest:
		return true
	}
	return false
}

// IsRetired says whether a media type is that of an artifact manifest which OCI or
// ORAS had before artifacts took the form of image manifests.
func IsRetired(mediaType string) bool {
	return mediaType == OCIArtifactManifest || mediaType == ORASArtifactManifest
}

// HasEdges says whether content of this media type refers to other content.
func HasEdges(mediaType string) bool { return IsIndex(mediaType) || IsManifest(mediaType) }

// IsImageConfig says whether a media type is that of an image's config. A config
// of another type is opaque: it is not parsed.
func IsImageConfig(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageConfig || mediaType == DockerConfig
}

// IsLayer says whether a media type is that of a filesystem layer whose
// compression we know, so that it has a diffID.
func IsLayer(mediaType string) bool {
	_, ok := layers[mediaType]
	return ok
}

// IsForeign says whether a layer may be absent: its content need not, or must
// not, be distributed (image-spec layer.md, "Non-Distributable Layers").
func IsForeign(mediaType string) bool {
	return mediaType == DockerForeignLayer || strings.HasPrefix(mediaType, "application/vnd.oci.image.layer.nondistributable.")
}

// LayerCompression gives the compression that a layer's media type says: "none",
// "gzip" or "zstd", or "" if it is not a layer that we know.
func LayerCompression(mediaType string) string { return layers[mediaType] }

var layers = map[string]string{
	ocispec.MediaTypeImageLayer:                                    "none",
	ocispec.MediaTypeImageLayerGzip:                                "gzip",
	ocispec.MediaTypeImageLayerZstd:                                "zstd",
	"application/vnd.oci.image.layer.nondistributable.v1.tar":      "none",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": "gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": "zstd",
	DockerLayer:        "none",
	DockerLayerGzip:    "gzip",
	DockerLayerZstd:    "zstd",
	DockerForeignLayer: "gzip",
}
