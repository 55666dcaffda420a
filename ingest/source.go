package ingest

import (
	"bufio"
	"context"
	"io"
	"os"
	"sync/atomic"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// streamBuffer holds headers and small members; larger bodies are read past it.
const streamBuffer = 64 << 10

// input is an opened Source. If it can be read at any offset, at is not nil.
type input struct {
	name   string
	raw    *bufio.Reader // as it came
	format compress.Format
	at     io.ReaderAt
	size   int64 // bytes at at
}

// open finds out how src is compressed. It reads no more than a buffer.
func open(ctx context.Context, src Source) (*input, error) {
	in := &input{name: src.Name}
	total := int64(-1)
	if at, size, ok := regular(src.Reader); ok {
		in.at = &trackedAt{ctx: ctx, at: at, to: content.ProgressFrom(ctx), name: src.Name, total: size}
		in.size, total = size, size
	}
	in.raw = bufio.NewReaderSize(content.Track(ctx, src.Reader, "import", src.Name, total), streamBuffer)
	var err error
	if in.format, err = compress.Sniff(in.raw); err != nil {
		return nil, err
	}
	if in.format != compress.None {
		in.at = nil
	}
	return in, nil
}

// decompress begins to read the archive as a plain one. The caller closes it.
func (in *input) decompress(limits content.Limits) (io.ReadCloser, error) {
	if in.format == compress.None {
		return io.NopCloser(in.raw), nil
	}
	plain, err := compress.NewReader(in.raw, in.format, compress.Limits{MaxRatio: limits.Ratio})
	if err != nil {
		return nil, err
	}
	return buffered{bufio.NewReaderSize(plain, streamBuffer), plain}, nil
}

type buffered struct {
	*bufio.Reader
	io.Closer
}

// regular gives random access to what r still has, if it is a regular file or
// something in memory.
func regular(r io.Reader) (io.ReaderAt, int64, bool) {
	s, ok := r.(io.ReadSeeker)
	if !ok {
		return nil, 0, false
	}
	at, ok := r.(io.ReaderAt)
	if !ok {
		return nil, 0, false
	}
	var size int64
	switch f := r.(type) {
	case *os.File:
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			return nil, 0, false
		}
		size = info.Size()
	case interface{ Size() int64 }:
		size = f.Size()
	default:
		return nil, 0, false
	}
	pos, err := s.Seek(0, io.SeekCurrent)
	if err != nil || pos > size {
		return nil, 0, false
	}
	return io.NewSectionReader(at, pos, size-pos), size - pos, true
}

// trackedAt reports what all readers of an archive have read of it together, and
// ends them when ctx is cancelled.
type trackedAt struct {
	ctx   context.Context
	at    io.ReaderAt
	to    content.Progress
	name  string
	total int64
	done  atomic.Int64
}

func (t *trackedAt) ReadAt(p []byte, off int64) (int, error) {
	if t.ctx.Err() != nil {
		return 0, context.Cause(t.ctx)
	}
	n, err := t.at.ReadAt(p, off)
	t.to.Report(content.Event{Op: "import", Name: t.name, Total: t.total, Done: t.done.Add(int64(n))})
	return n, err
}

// finish reports that the whole archive was read.
func (t *trackedAt) finish() {
	t.to.Report(content.Event{Op: "import", Name: t.name, Total: t.total, Done: t.total, Finished: true})
}

// seeker reads a file from front to back through a buffer, and lets a tar reader
// skip bodies without reading them.
type seeker struct {
	at   io.ReaderAt
	size int64
	sec  *io.SectionReader
	buf  *bufio.Reader
}

func newSeeker(at io.ReaderAt, size int64) *seeker {
	s := &seeker{at: at, size: size, sec: io.NewSectionReader(at, 0, size)}
	s.buf = bufio.NewReaderSize(s.sec, streamBuffer)
	return s
}

func (s *seeker) Read(p []byte) (int, error) { return s.buf.Read(p) }

// offset is where the next Read reads.
func (s *seeker) offset() int64 {
	pos, _ := s.sec.Seek(0, io.SeekCurrent) // a section reader's position is always known
	return pos - int64(s.buf.Buffered())
}

// Seek implements io.Seeker.
func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	at := s.offset()
	switch whence {
	case io.SeekCurrent:
		offset += at
	case io.SeekEnd:
		offset += s.size
	}
	if skip := offset - at; skip >= 0 && skip <= int64(s.buf.Buffered()) {
		_, err := s.buf.Discard(int(skip))
		return offset, err
	}
	pos, err := s.sec.Seek(offset, io.SeekStart)
	s.buf.Reset(s.sec)
	return pos, err
}
