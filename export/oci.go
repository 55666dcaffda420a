package export

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// ociArchive is an image layout in a tar (image-spec image-layout.md): oci-layout,
// docker's manifest.json if there is an image for it, the blobs in the order of
// their digests, and index.json last.
type ociArchive struct {
	*plan
	tar *tarball
}

func newOCIArchive(ctx context.Context, p *plan) (archive, error) {
	blobs, err := p.locate(ctx, inDigestOrder(slices.Collect(maps.Values(p.blobs))), false)
	if err != nil {
		return nil, err
	}
	marker := `{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`
	members := make([]member, 0, len(blobs)+3)
	members = append(members, dataMember(ocispec.ImageLayoutFile, []byte(marker)))
	if images, _ := p.loadables(); len(images) > 0 {
		manifest, err := dockerManifest(images,
			func(n *node, _ int) string { return blobName(n.config.Digest) },
			func(n *node, i int) string { return blobName(n.layers[i].Digest) })
		if err != nil {
			return nil, err
		}
		members = append(members, dataMember(docker.ManifestName, manifest))
	}
	for _, b := range blobs {
		members = append(members, member{size: b.Size, blob: b})
	}
	members = append(members, dataMember(ocispec.ImageIndexFile, indexJSON(p.entries)))
	t, err := newTarball(members, p.o.Time)
	return &ociArchive{p, t}, err
}

func dataMember(name string, data []byte) member {
	return member{name: name, size: int64(len(data)), data: data}
}

func blobName(d content.Digest) string { return string(appendBlobName(nil, d)) }

// appendBlobName appends where a layout has the blob d (image-spec image-layout.md).
func appendBlobName(b []byte, d content.Digest) []byte {
	alg, encoded, _ := strings.Cut(string(d), ":")
	return append(append(append(append(b, "blobs/"...), alg...), '/'), encoded...)
}

func (a *ociArchive) result() Result { return a.resultOf() }

func (a *ociArchive) writeFile(ctx context.Context, f *durable.File) (int64, error) {
	if err := f.Truncate(a.tar.total); err != nil {
		return 0, err
	}
	return a.tar.total, a.tar.writeAt(ctx, f)
}

// writeStream looks for all blobs before a byte leaves; writeFile learns of one
// that is missing when it comes to it.
func (a *ociArchive) writeStream(ctx context.Context, w io.Writer) (int64, error) {
	if _, err := a.locate(ctx, slices.Collect(maps.Values(a.blobs)), true); err != nil {
		return 0, err
	}
	return a.tar.total, a.tar.writeTo(ctx, w)
}
