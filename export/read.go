package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// readProven reads the whole of a small blob, of at most max bytes, into room and
// proves it. It is content.FetchAll in fewer steps, since an archive may have a
// manifest and a config for every few kilobytes.
func readProven(ctx context.Context, src Source, d content.Digest, size, max int64, room *slab) (data []byte, err error) {
	if size > max {
		return nil, content.AtDigest(d, content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", size, max))
	}
	if size >= 0 && size <= keptBlob {
		buf := room.take(int(size) + 1)
		if readSmall(src, d, buf) {
			return buf[:size], nil
		}
	}
	r, err := openBlob(ctx, src, d)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
	}()
	if r.Size() != size {
		return nil, content.AtDigest(d, sizeError(r.Size(), size))
	}
	data = room.take(int(size))
	if n, err := r.ReadAt(data, 0); n < len(data) {
		if err == io.EOF {
			err = sizeError(int64(n), size)
		}
		return nil, content.AtDigest(d, err)
	}
	h := d.Algorithm().Hash()
	h.Write(data)
	return data, content.AtDigest(d, judge(d, h))
}

// A smallSource is a Source that reads small blobs faster than it opens them: see
// layout.Reader.ReadSmall.
type smallSource interface {
	ReadSmall(d content.Digest, buf []byte) (n int, ok bool)
}

// readSmall reads a blob into a buffer that is one byte larger than it, and says
// whether that is the right one. If not, opening it will tell why.
func readSmall(src Source, d content.Digest, buf []byte) bool {
	s, ok := src.(smallSource)
	want, isSHA256 := parseSHA256(d)
	if !ok || !isSHA256 {
		return false
	}
	n, ok := s.ReadSmall(d, buf)
	return ok && n == len(buf)-1 && sha256.Sum256(buf[:n]) == want
}

// openBlob opens a blob of an algorithm that can be verified.
func openBlob(ctx context.Context, src Source, d content.Digest) (layout.BlobAt, error) {
	if !strings.HasPrefix(string(d), sha256Prefix) && !content.Verifiable(d) {
		return nil, unverifiable(d)
	}
	return src.ReaderAt(ctx, d)
}

// judge compares the hash of all bytes with their digest.
func judge(want content.Digest, h hash.Hash) error {
	var sum [64]byte
	var text [128]byte
	got := text[:hex.Encode(text[:], h.Sum(sum[:0]))]
	if string(got) == want.Encoded() {
		return nil
	}
	return content.Errorf(content.ErrDigest, "bytes have digest %s:%s", want.Algorithm(), string(got))
}

func sizeError(got, want int64) error {
	return content.Errorf(content.ErrSize, "%d bytes, its descriptor says %d", got, want)
}

func unverifiable(d content.Digest) error {
	err := content.CheckDigest(d)
	if err == nil {
		err = content.Errorf(content.ErrUnsupported, "algorithm %s can't be verified", d.Algorithm())
	}
	return content.AtDigest(d, err)
}
