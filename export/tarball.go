package export

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// A member of an archive: its bytes are data, or what body puts.
type member struct {
	name string
	size int64
	data []byte
	body func(ctx context.Context, f *filler) error // exactly size bytes
}

// put writes the bytes of a member.
func (m member) put(ctx context.Context, f *filler) error {
	if m.body != nil {
		return m.body(ctx, f)
	}
	_, err := f.Write(m.data)
	return err
}

// members are those of an archive, in order. There may be very many, so that they
// are made when they are asked for.
type members interface {
	len() int
	// size is that of member i; its name is appended to name.
	describe(i int, name []byte) (called []byte, size int64)
	put(ctx context.Context, i int, f *filler) error
}

// memberList is members that are few.
type memberList []member

func (l memberList) len() int { return len(l) }

func (l memberList) describe(i int, name []byte) ([]byte, int64) {
	return append(name, l[i].name...), l[i].size
}

func (l memberList) put(ctx context.Context, i int, f *filler) error { return l[i].put(ctx, f) }

// A tarball is an archive that is laid out before any of it is written: so its
// members can be written at their places in any order.
type tarball struct {
	members
	runs    []run
	headers *headerMaker
	total   int64
}

// A run is some consecutive members that one worker writes: a large one alone,
// small ones together.
type run struct {
	from, to  int
	off, size int64
}

// newTarball lays members out.
func newTarball(m members, mtime time.Time) (*tarball, error) {
	headers, err := newHeaderMaker(mtime)
	if err != nil {
		return nil, err
	}
	t := &tarball{members: m, headers: headers}
	var room [256]byte
	for i := range m.len() {
		name, bytes := m.describe(i, room[:0])
		header, err := headers.size(name, bytes)
		if err != nil {
			return nil, err
		}
		size := header + bytes + tarx.Padding(bytes)
		if n := len(t.runs); n > 0 && t.runs[n-1].size+size <= bufferSize {
			t.runs[n-1].to = i + 1
			t.runs[n-1].size += size
		} else {
			t.runs = append(t.runs, run{i, i + 1, t.total, size})
		}
		t.total += size
	}
	t.total += tarx.TrailerSize
	return t, nil
}

// fill puts the members of a run, with headers and padding.
func (t *tarball) fill(ctx context.Context, f *filler, r run) error {
	var room [256]byte
	for i := r.from; i < r.to; i++ {
		name, size := t.describe(i, room[:0])
		if err := t.headers.put(f, name, size); err != nil {
			return err
		}
		at := f.position()
		if err := t.put(ctx, i, f); err != nil {
			return err
		}
		if f.position() != at+size {
			return content.At(string(name), content.Errorf(content.ErrSize, "member is not as large as it was laid out"))
		}
		if err := f.zeros(tarx.Padding(size)); err != nil {
			return err
		}
	}
	if f.position() != r.off+r.size {
		return content.Errorf(content.ErrSize, "members are not where they were laid out")
	}
	return f.flush()
}

// writeAt writes the archive to a file that has its length already, all zeros: the
// largest runs first, on all cores.
func (t *tarball) writeAt(ctx context.Context, w io.WriterAt) error {
	runs := slices.Clone(t.runs)
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(b.size, a.size) })
	report := meter(ctx, t.total-tarx.TrailerSize)
	return parallel(ctx, len(runs), func(ctx context.Context, i int) error {
		f := newFiller(runs[i].off, writesAt(w, report))
		defer f.close()
		return t.fill(ctx, f, runs[i])
	})
}

// writesAt makes a filler write to places of w.
func writesAt(w io.WriterAt, report func(n int)) func(buf *[]byte, off int64) (*[]byte, error) {
	return func(buf *[]byte, off int64) (*[]byte, error) {
		n, err := w.WriteAt(*buf, off)
		report(n)
		*buf = (*buf)[:0]
		return buf, err
	}
}

// meter returns a function that reports further bytes, of total in all, as done.
func meter(ctx context.Context, total int64) func(n int) {
	to := content.ProgressFrom(ctx)
	var done atomic.Int64
	return func(n int) {
		d := done.Add(int64(n))
		to.Report(content.Event{Op: "export", Name: "archive", Total: total, Done: d, Finished: d >= total})
	}
}

// ahead is how many runs are prepared at once for a stream, and how many buffers
// of each may wait.
const (
	ahead   = 3
	waiting = 2
)

// writeTo writes the archive as a stream: runs are read and proven ahead, several
// at once, and written in order.
func (t *tarball) writeTo(ctx context.Context, w io.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan *[]byte, ahead-1) // runs in order
	g.Go(func() error {
		defer close(queue)
		for _, r := range t.runs {
			ready := make(chan *[]byte, waiting)
			select {
			case queue <- ready:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			g.Go(func() error { return t.prepare(ctx, r, ready) })
		}
		return nil
	})
	g.Go(func() error {
		report := meter(ctx, t.total-tarx.TrailerSize)
		for ready := range queue {
			if err := drain(ctx, w, ready, report); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	_, err := w.Write(make([]byte, tarx.TrailerSize))
	return err
}

// drain writes the buffers of one run, until it ends or the work has failed.
func drain(ctx context.Context, w io.Writer, ready <-chan *[]byte, report func(int)) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case buf, ok := <-ready:
			if !ok {
				return nil
			}
			n, err := w.Write(*buf)
			report(n)
			*buf = (*buf)[:0]
			buffers.Put(buf)
			if err != nil {
				return err
			}
		}
	}
}

// prepare sends the buffers of one run and closes ready, unless it fails: then the
// context tells the writer.
func (t *tarball) prepare(ctx context.Context, r run, ready chan<- *[]byte) error {
	f := newFiller(r.off, func(buf *[]byte, _ int64) (*[]byte, error) {
		select {
		case ready <- buf:
			return buffers.Get().(*[]byte), nil
		case <-ctx.Done():
			return buf, context.Cause(ctx)
		}
	})
	defer f.close()
	if err := t.fill(ctx, f, r); err != nil {
		return err
	}
	close(ready)
	return nil
}
