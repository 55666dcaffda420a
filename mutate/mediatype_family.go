package mutate

import (
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// families has a row for each thing that both OCI and docker have a media type for,
// and OCI's alone for what docker has none for.
var families = []struct{ oci, docker string }{
	{ocispec.MediaTypeImageIndex, content.DockerManifestList},
	{ocispec.MediaTypeImageManifest, content.DockerManifest},
	{ocispec.MediaTypeImageConfig, content.DockerConfig},
	{ocispec.MediaTypeImageLayer, content.DockerLayer},
	{ocispec.MediaTypeImageLayerGzip, content.DockerLayerGzip},
	{nondistributable + "+gzip", content.DockerForeignLayer},
}

// toOCI is OCI's name for what docker has another one for; other media types stay.
// Docker's own specification has no zstd, but some tools write it.
func toOCI(mediaType string) string {
	if mediaType == content.DockerLayerZstd {
		return ocispec.MediaTypeImageLayerZstd
	}
	for _, row := range families {
		if row.docker == mediaType {
			return row.oci
		}
	}
	return mediaType
}

// toDocker is docker's name for a media type, its own included; ok is false if it has
// none.
func toDocker(mediaType string) (docker string, ok bool) {
	for _, row := range families {
		if row.oci == mediaType || row.docker == mediaType {
			return row.docker, true
		}
	}
	return "", false
}

// distributable is the media type of a foreign layer whose content may be given on.
func distributable(mediaType string) string {
	if !content.IsForeign(mediaType) {
		return mediaType
	}
	compression := content.LayerCompression(mediaType)
	if mediaType == content.DockerForeignLayer {
		return content.DockerLayerGzip
	}
	return mediaTypeIn(ocispec.MediaTypeImageLayer, compression)
}
