package layout

import (
	"context"
	"io/fs"
	"os"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// smallSource is a source that reads small blobs with few system calls.
type smallSource interface {
	// flat says whether blobs of d's algorithm lie in a directory that is no link.
	flat(d content.Digest) bool
	// small reads a blob of at most max bytes that is no link.
	small(d content.Digest, max int64) ([]byte, error)
}

func (s dirSource) flat(d content.Digest) bool {
	for _, dir := range []string{s.path("blobs"), s.path("blobs/" + d.Algorithm().String())} {
		if info, err := os.Lstat(dir); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return false
		}
	}
	return true
}

func (s dirSource) small(d content.Digest, max int64) ([]byte, error) {
	return durable.ReadRegularNoFollow(s.path(blobPath(d)), max)
}

// smallManifest is up to where a manifest is read in one go.
const smallManifest = 64 << 10

// readManifest is content.FetchManifest without the bytes, for who reads very many.
// flat says that blobs of desc's algorithm lie where no link leads. In any doubt it
// is left to FetchManifest to say what is wrong.
func (r *Reader) readManifest(ctx context.Context, desc content.Descriptor, limits content.Limits, flat bool) (content.Manifest, error) {
	if src, ok := r.src.(smallSource); ok && flat && desc.Size >= 0 && desc.Size <= min(smallManifest, limits.Manifest) && content.Verifiable(desc.Digest) {
		data, err := src.small(desc.Digest, desc.Size)
		if err == nil && int64(len(data)) == desc.Size && desc.Digest.Algorithm().FromBytes(data) == desc.Digest {
			m, err := content.ParseManifest(desc.MediaType, data)
			return m, content.AtDigest(desc.Digest, err)
		}
	}
	m, _, err := content.FetchManifest(ctx, r, desc, limits)
	return m, err
}

// flat says whether blobs of d's algorithm lie where no link leads.
func (r *Reader) flat(d content.Digest) bool {
	src, ok := r.src.(smallSource)
	return ok && content.Verifiable(d) && src.flat(d)
}
