package export

import (
	"context"
	"encoding/hex"
	"io"
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
	tar   *tarball
	blobs []digestID
}

func newOCIArchive(ctx context.Context, p *plan) (archive, error) {
	blobs, err := p.locate(ctx, p.allBlobs(), false)
	if err != nil {
		return nil, err
	}
	marker := `{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`
	m := layoutMembers{graph: p.graph, blobs: blobs, head: memberList{dataMember(ocispec.ImageLayoutFile, []byte(marker))}}
	if images, _ := p.loadables(); len(images.list) > 0 {
		manifest := ociManifest{images}
		size, err := manifest.size(ctx)
		if err != nil {
			return nil, err
		}
		m.head = append(m.head, member{name: docker.ManifestName, size: size, body: manifest.write})
	}
	m.tail = member{name: ocispec.ImageIndexFile, size: p.entries.size, body: p.entries.index}
	t, err := newTarball(m, p.o.Time)
	return &ociArchive{p, t, blobs}, err
}

// layoutMembers are those of an image layout.
type layoutMembers struct {
	*graph
	head  memberList
	blobs []digestID
	tail  member
}

func (m layoutMembers) len() int { return len(m.head) + len(m.blobs) + 1 }

// other is a member that is no blob.
func (m layoutMembers) other(i int) member {
	if i < len(m.head) {
		return m.head[i]
	}
	return m.tail
}

// blobAt is the blob that is member i, if it is one.
func (m layoutMembers) blobAt(i int) (id digestID, ok bool) {
	if i -= len(m.head); i >= 0 && i < len(m.blobs) {
		return m.blobs[i], true
	}
	return 0, false
}

func (m layoutMembers) describe(i int, name []byte) ([]byte, int64) {
	if id, ok := m.blobAt(i); ok {
		return m.appendName(name, id), m.items.at(int(id)).size
	}
	other := m.other(i)
	return append(name, other.name...), other.size
}

func (m layoutMembers) put(ctx context.Context, i int, f *filler) error {
	if id, ok := m.blobAt(i); ok {
		return f.blob(ctx, m.blob(id))
	}
	return m.other(i).put(ctx, f)
}

func dataMember(name string, data []byte) member {
	return member{name: name, size: int64(len(data)), data: data}
}

// appendName appends where a layout has a blob (image-spec image-layout.md).
func (g *graph) appendName(b []byte, id digestID) []byte {
	if sum, ok := g.sha256(id); ok {
		return hex.AppendEncode(append(b, "blobs/sha256/"...), sum[:])
	}
	return append(b, blobName(g.digest(id))...)
}

func blobName(d content.Digest) string {
	alg, encoded, _ := strings.Cut(string(d), ":")
	return "blobs/" + alg + "/" + encoded
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
	if _, err := a.locate(ctx, slices.Clone(a.blobs), true); err != nil {
		return 0, err
	}
	return a.tar.total, a.tar.writeTo(ctx, w)
}
