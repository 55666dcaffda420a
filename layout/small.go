package layout

import (
	"context"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// smallSource is a source that reads small blobs with few system calls.
type smallSource interface {
	// flat says whether blobs of d's algorithm lie in a directory that is no link.
	flat(d content.Digest) bool
	// small reads a blob of at most max bytes that is no link.
	small(d content.Digest, max int64) ([]byte, error)
	// dir opens the directory of blobs of d's algorithm, if it is no link.
	dir(d content.Digest) (*durable.Dir, error)
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

func (s dirSource) dir(d content.Digest) (*durable.Dir, error) {
	return durable.OpenDir(s.path("blobs/" + d.Algorithm().String()))
}

// blobDir is the directory of sha256 blobs, opened once for those who read very many.
// It is nil where that is none, or may be one elsewhere.
type blobDir struct {
	once sync.Once
	dir  *durable.Dir
}

func (b *blobDir) open(r *Reader, d content.Digest) *durable.Dir {
	b.once.Do(func() {
		if src, ok := r.src.(smallSource); ok && src.flat(d) {
			b.dir, _ = src.dir(d) // what is wrong, ReaderAt will say
		}
	})
	return b.dir
}

func (b *blobDir) close() error {
	b.once.Do(func() {}) // a reader that is closed opens none
	if b.dir == nil {
		return nil
	}
	defer func() { b.dir = nil }()
	return b.dir.Close()
}

// ReadSmall reads the bytes under a sha256 digest, as they lie there, into a buffer
// that is larger than they are, and returns their number. It takes few system calls,
// for who reads very many blobs. ok is false where that can't be done, for whatever
// reason: then ReaderAt can, or says what is wrong.
func (r *Reader) ReadSmall(d content.Digest, buf []byte) (n int, ok bool) {
	encoded, ok := strings.CutPrefix(string(d), "sha256:")
	if !ok || content.CheckDigest(d) != nil {
		return 0, false
	}
	dir := r.blobs.open(r, d)
	if dir == nil {
		return 0, false
	}
	return dir.ReadInto(encoded, buf)
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
			m, err := ParseManifest(desc.MediaType, data)
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
