package mutate

import (
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

const nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar"

// mediaTypeIn is the media type of a layer of the same family as mediaType, OCI's,
// OCI's nondistributable or docker's, with another compression. Docker has foreign
// layers of gzip alone: in other forms, their content being here, they are common ones.
func mediaTypeIn(mediaType, compression string) string {
	if content.LayerCompression(mediaType) == compression {
		return mediaType
	}
	suffix := map[string]string{"gzip": "+gzip", "zstd": "+zstd"}[compression]
	switch {
	case strings.HasPrefix(mediaType, nondistributable):
		return nondistributable + suffix
	case strings.HasPrefix(mediaType, "application/vnd.docker."):
		return content.DockerLayer + strings.Replace(suffix, "+", ".", 1)
	}
	return ocispec.MediaTypeImageLayer + suffix
}

// byteAnnotations are prefixes of the keys by which tools note where something lies in
// a layer's compressed bytes, or what they decompress to.
var byteAnnotations = []string{
	"containerd.io/snapshot/stargz/",
	"containerd.io/snapshot/nydus-",
	"containerd.io/snapshot/overlaybd/",
	"containerd.io/uncompressed",
	"io.containers.estargz.",
	"io.github.containers.zstd-chunked.",
	"buildkit/rewritten-timestamp",
}

// forgetOldBytes takes out of the descriptor what is true of the old bytes alone: data,
// urls, and annotations about their inside.
func (l *Layer) forgetOldBytes() {
	l.Raw.Delete("data")
	l.Raw.Delete("urls")
	annotations, err := rawjson.Parse(l.Raw.Get("annotations"))
	if err != nil {
		return // none
	}
	n := annotations.Len()
	for _, f := range append([]rawjson.Field(nil), annotations.Fields()...) {
		for _, prefix := range byteAnnotations {
			if strings.HasPrefix(f.Key, prefix) {
				annotations.Delete(f.Key)
			}
		}
	}
	switch {
	case annotations.Len() == n:
	case annotations.Len() == 0:
		l.Raw.Delete("annotations")
	default:
		l.Raw.Set("annotations", annotations.Bytes())
	}
}

// familyOf is a layer's media type in the family of a manifest.
func familyOf(manifest string) string {
	if manifest == content.DockerManifest {
		return content.DockerLayer
	}
	return ocispec.MediaTypeImageLayer
}
