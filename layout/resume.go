package layout

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// PushResumable is Push of bytes that come from afar: open opens them from an offset on,
// unproven. If it fails midway, or the process dies, what has come of a large blob stays
// staged, under a name that says what it is, and the next PushResumable of any process
// goes on from there; gc clears it otherwise, when its grace is over. What is staged is
// not trusted: with what follows it is proven as a whole, and if that is wrong the blob
// is fetched once more from its start. An error of open that is ErrCorrupt says that
// it can't begin there, and does the same.
func (b *Batch) PushResumable(ctx context.Context, want content.Descriptor, open func(offset int64) (io.ReadCloser, error)) error {
	if err := checkWritable(want); err != nil {
		return err
	}
	if ok, err := b.has(ctx, want); err != nil || ok {
		return err
	}
	if want.Size < keepPartial {
		return b.pushWhole(ctx, want, open)
	}
	r := resumption{b: b, want: want, name: partialName(want.Digest), open: open}
	var err error
	if r.file, err = b.l.lease.partial(ctx, want.Digest); err != nil {
		return err
	}
	if r.file == nil {
		return b.pushWhole(ctx, want, open) // beside another batch of this writer
	}
	if err = b.watch(filepath.Dir(r.file.Name())); err == nil {
		err = r.run()
	}
	if err != nil {
		b.l.lease.leave(r.name)
		return err
	}
	b.mu.Lock()
	b.partials = append(b.partials, r.name)
	b.mu.Unlock()
	return b.add(&BlobWriter{b: b, file: r.file}, want.Digest, want.Size)
}

// pushWhole stages a blob that is not worth more.
func (b *Batch) pushWhole(ctx context.Context, want content.Descriptor, open func(int64) (io.ReadCloser, error)) error {
	rc, err := open(0)
	if err != nil {
		return err
	}
	return errors.Join(b.Push(ctx, want, rc), rc.Close())
}

// A resumption fills one file, which may have a part of it.
type resumption struct {
	b    *Batch
	want content.Descriptor
	name string
	open func(offset int64) (io.ReadCloser, error)
	file *durable.File
}

// run fills the file, or closes it and leaves it where it is worth that.
func (r *resumption) run() error {
	size, err := r.file.Size()
	if err != nil {
		return errors.Join(err, r.file.Close())
	}
	if size > 0 {
		if size <= r.want.Size {
			err = r.fill(size)
		}
		if size > r.want.Size || errors.Is(err, content.ErrCorrupt) {
			size, err = 0, r.renew()
		}
		if size > 0 || err != nil {
			return r.settle(err)
		}
	}
	return r.settle(r.fill(0))
}

// renew begins an empty file in place of a wrong one, which is not written to: who
// knows what else it is.
func (r *resumption) renew() error {
	if err := r.file.Discard(); err != nil {
		return err
	}
	file, err := r.b.l.disk.StageAs(filepath.Dir(r.file.Name()), r.name)
	if err == nil {
		r.file = file
	}
	return err
}

// settle closes the file if there was an error: bytes that are wrong go, and so do few.
func (r *resumption) settle(err error) error {
	if err == nil {
		return nil
	}
	size, statErr := r.file.Size()
	if errors.Is(err, content.ErrCorrupt) || statErr == nil && size < keepPartial {
		return errors.Join(err, r.file.Discard())
	}
	return errors.Join(err, r.file.Close())
}

// fill proves the file's first bytes with those that follow, and writes these.
func (r *resumption) fill(offset int64) error {
	rest := &lateReader{open: func() (io.ReadCloser, error) {
		if offset == r.want.Size {
			return io.NopCloser(strings.NewReader("")), nil
		}
		return r.open(offset)
	}}
	all := io.MultiReader(io.NewSectionReader(r.file, 0, offset), rest)
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(&after{r.file, 0, offset}, content.Verify(io.NopCloser(all), r.want), (*buf)[:streamed])
	return errors.Join(err, rest.Close())
}

// after writes a stream into a file that has its first bytes.
type after struct {
	file    *durable.File
	at, has int64
}

func (a *after) Write(p []byte) (int, error) {
	skip := min(max(a.has-a.at, 0), int64(len(p)))
	n, err := a.file.WriteAt(p[skip:], a.at+skip)
	a.at += skip + int64(n)
	return int(skip) + n, err
}

// lateReader opens what it reads at the first Read.
type lateReader struct {
	open func() (io.ReadCloser, error)
	rc   io.ReadCloser
}

func (l *lateReader) Read(p []byte) (int, error) {
	if l.rc == nil {
		rc, err := l.open()
		if err != nil {
			return 0, err
		}
		l.rc = rc
	}
	return l.rc.Read(p)
}

func (l *lateReader) Close() error {
	if l.rc == nil {
		return nil
	}
	return l.rc.Close()
}

// leavePartial says whether a staged file stays for the next run.
func leavePartial(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && isPartial(info.Name(), info)
}
