package export

import (
	"context"
	"io"

	"github.com/ocilayout/ocilayout/content"
)

// readProven reads the whole of a small blob, of at most max bytes, and proves it.
// It is content.FetchAll in fewer steps, since an archive may have a manifest and
// a config for every few kilobytes.
func readProven(ctx context.Context, src Source, d content.Descriptor, max int64) (data []byte, err error) {
	if d.Size > max {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", d.Size, max))
	}
	if !content.Verifiable(d.Digest) {
		return nil, unverifiable(d.Digest)
	}
	r, err := src.ReaderAt(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
	}()
	if r.Size() != d.Size {
		return nil, content.AtDigest(d.Digest, sizeError(r.Size(), d.Size))
	}
	data = make([]byte, d.Size)
	if n, err := r.ReadAt(data, 0); n < len(data) {
		if err == io.EOF {
			err = sizeError(int64(n), d.Size)
		}
		return nil, content.AtDigest(d.Digest, err)
	}
	if got := d.Digest.Algorithm().FromBytes(data); got != d.Digest {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrDigest, "bytes have digest %s", got))
	}
	return data, nil
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
