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

// A member of an archive: its bytes are those of a blob, or data, or what body
// puts.
type member struct {
	name string
	size int64
	blob *blob // named by its digest if name is empty
	data []byte
	body func(ctx context.Context, f *filler) error // exactly size bytes
}

// called appends the member's name to b.
func (m member) called(b []byte) []byte {
	if m.name != "" {
		return append(b, m.name...)
	}
	return appendBlobName(b, m.blob.Digest)
}

func (m member) put(ctx context.Context, f *filler) error {
	switch {
	case m.blob != nil:
		return f.blob(ctx, m.blob)
	case m.body != nil:
		return m.body(ctx, f)
	}
	_, err := f.Write(m.data)
	return err
}

// A tarball is an archive that is laid out before any of it is written: so its
// members can be written at their places in any order.
type tarball struct {
	members []member
	offsets []int64 // of the headers
	headers *headerMaker
	total   int64
}

// newTarball lays members out.
func newTarball(members []member, mtime time.Time) (*tarball, error) {
	headers, err := newHeaderMaker(mtime)
	if err != nil {
		return nil, err
	}
	t := &tarball{members: members, offsets: make([]int64, len(members)), headers: headers}
	var name []byte
	for i, m := range members {
		name = m.called(name[:0])
		header, err := headers.size(name, m.size)
		if err != nil {
			return nil, err
		}
		t.offsets[i] = t.total
		t.total += header + m.size + tarx.Padding(m.size)
	}
	t.total += tarx.TrailerSize
	return t, nil
}

// A run is some consecutive members that one worker writes.
type run struct {
	from, to int
	size     int64
}

// runs cuts the members into runs: a large member alone, small ones together.
func (t *tarball) runs() []run {
	var runs []run
	for i := range t.members {
		size := t.end(i) - t.offsets[i]
		if n := len(runs); n > 0 && runs[n-1].size+size <= bufferSize {
			runs[n-1].to = i + 1
			runs[n-1].size += size
			continue
		}
		runs = append(runs, run{i, i + 1, size})
	}
	return runs
}

// end is where the member after i begins.
func (t *tarball) end(i int) int64 {
	if i+1 < len(t.offsets) {
		return t.offsets[i+1]
	}
	return t.total - tarx.TrailerSize
}

// fill puts the members of a run, with headers and padding.
func (t *tarball) fill(ctx context.Context, f *filler, r run) error {
	var name []byte
	for i := r.from; i < r.to; i++ {
		m := t.members[i]
		name = m.called(name[:0])
		if err := t.headers.put(f, name, m.size); err != nil {
			return err
		}
		at := f.position()
		if err := m.put(ctx, f); err != nil {
			return err
		}
		if f.position() != at+m.size || at != t.end(i)-m.size-tarx.Padding(m.size) {
			return content.At(string(name), content.Errorf(content.ErrSize, "member is not as large as it was laid out"))
		}
		if err := f.zeros(tarx.Padding(m.size)); err != nil {
			return err
		}
	}
	return f.flush()
}

// writeAt writes the archive to a file that has its length already, all zeros: the
// largest runs first, on all cores.
func (t *tarball) writeAt(ctx context.Context, w io.WriterAt) error {
	runs := t.runs()
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(b.size, a.size) })
	report := meter(ctx, t.total-tarx.TrailerSize)
	return parallel(ctx, len(runs), func(ctx context.Context, i int) error {
		f := newFiller(t.offsets[runs[i].from], writesAt(w, report))
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
		for _, r := range t.runs() {
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
	f := newFiller(t.offsets[r.from], func(buf *[]byte, _ int64) (*[]byte, error) {
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
