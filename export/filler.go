package export

import (
	"context"
	"errors"
	"hash"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// bufferSize is how many bytes of an archive are gathered before they are written:
// many small members, or a piece of a large one.
const bufferSize = 512 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, bufferSize); return &b }}

// A filler fills one buffer after another with consecutive bytes of an archive.
type filler struct {
	buf    *[]byte
	off    int64 // of the buffer in the archive
	emit   func(buf *[]byte, off int64) (next *[]byte, err error)
	hashes map[digest.Algorithm]hash.Hash
}

// newFiller begins at an offset of the archive. emit takes a full buffer and
// returns an empty one, which may be the same.
func newFiller(off int64, emit func(buf *[]byte, off int64) (*[]byte, error)) *filler {
	return &filler{buf: buffers.Get().(*[]byte), off: off, emit: emit, hashes: map[digest.Algorithm]hash.Hash{}}
}

// close gives the buffer back; what was not flushed is dropped.
func (f *filler) close() {
	if f.buf != nil {
		*f.buf = (*f.buf)[:0]
		buffers.Put(f.buf)
	}
}

func (f *filler) flush() error {
	if len(*f.buf) == 0 {
		return nil
	}
	off := f.off
	f.off += int64(len(*f.buf))
	next, err := f.emit(f.buf, off)
	f.buf = next
	return err
}

// position is where the next byte goes in the archive.
func (f *filler) position() int64 { return f.off + int64(len(*f.buf)) }

// space is where the next bytes go: at least one. What was put there becomes part
// of the archive by took.
func (f *filler) space() ([]byte, error) {
	if len(*f.buf) == cap(*f.buf) {
		if err := f.flush(); err != nil {
			return nil, err
		}
	}
	return (*f.buf)[len(*f.buf):cap(*f.buf)], nil
}

func (f *filler) took(n int) { *f.buf = (*f.buf)[:len(*f.buf)+n] }

func (f *filler) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		space, err := f.space()
		if err != nil {
			return done, err
		}
		n := copy(space, p[done:])
		f.took(n)
		done += n
	}
	return done, nil
}

// zeros puts n zero bytes.
func (f *filler) zeros(n int64) error {
	for n > 0 {
		space, err := f.space()
		if err != nil {
			return err
		}
		space = space[:min(n, int64(len(space)))]
		clear(space)
		f.took(len(space))
		n -= int64(len(space))
	}
	return nil
}

// hash is a fresh hash of an algorithm; the one before of the same is done with.
func (f *filler) hash(alg digest.Algorithm) hash.Hash {
	h := f.hashes[alg]
	if h == nil {
		h = alg.Hash()
		f.hashes[alg] = h
	}
	h.Reset()
	return h
}

// blob puts the bytes of a blob and proves them.
func (f *filler) blob(ctx context.Context, b blob) error {
	if b.data != nil {
		_, err := f.Write(b.data)
		return err
	}
	dgst := b.digest()
	if b.size < int64(cap(*f.buf)-len(*f.buf)) && readSmall(b.src, dgst, (*f.buf)[len(*f.buf):cap(*f.buf)][:b.size+1]) {
		f.took(int(b.size))
		return nil
	}
	r, err := openBlob(ctx, b.src, dgst)
	if errors.Is(err, content.ErrNotFound) {
		return missing(dgst, "blob")
	}
	if err != nil {
		return err
	}
	err = f.proven(ctx, dgst, b.size, r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return content.AtDigest(dgst, err)
}

func (f *filler) proven(ctx context.Context, want content.Digest, size int64, r layout.BlobAt) error {
	if r.Size() != size {
		return sizeError(r.Size(), size)
	}
	h := f.hash(want.Algorithm())
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		space, err := f.space()
		if err != nil {
			return err
		}
		space = space[:min(size-off, int64(len(space)))]
		n, err := r.ReadAt(space, off)
		if n < len(space) {
			if err == io.EOF {
				err = sizeError(off+int64(n), size)
			}
			return err
		}
		h.Write(space)
		f.took(n)
		off += int64(n)
	}
	return judge(want, h)
}

// copy puts what r has, at most max bytes of it, and returns their number.
func (f *filler) copy(ctx context.Context, r io.Reader, max int64) (int64, error) {
	done := int64(0)
	for done < max {
		if err := ctx.Err(); err != nil {
			return done, context.Cause(ctx)
		}
		space, err := f.space()
		if err != nil {
			return done, err
		}
		n, err := r.Read(space[:min(max-done, int64(len(space)))])
		f.took(n)
		done += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return done, err
		}
	}
	return done, nil
}
