package compress

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ocilayout/ocilayout/content"
)

const (
	// defaultZstdWindow is what the reference decoder allows unless told otherwise.
	defaultZstdWindow = 128 << 20
	// defaultXzWindow is the dictionary of the highest preset of xz.
	defaultXzWindow = 64 << 20
	// ratioFrom is how many bytes come out before MaxRatio is looked at: a small
	// input of zeros is no bomb.
	ratioFrom = 64 << 20
	// sourceBuffer is how much is read ahead of a decoder.
	sourceBuffer = 64 << 10
)

// Limits bound what decompression may cost. The zero value sets no limit on the
// output and the default one on memory.
type Limits struct {
	// MaxBytes is how many decompressed bytes are allowed; 0 is any number.
	MaxBytes int64
	// MaxRatio is how many bytes may come out for each byte that went in, looked
	// at once 64 MiB are out; 0 is any number. Deflate reaches 1032.
	MaxRatio int64
	// MaxWindow is how many bytes of history a stream may make us keep: a zstd
	// window or an xz dictionary. 0 is 128 MiB for zstd and 64 MiB for xz. The
	// other formats need less than 1 MiB.
	MaxWindow uint64
}

// NewReader decompresses r, which must hold one whole stream of format f: all
// members of a gzip file, all frames of a zstd file, and nothing after them. It
// may read r beyond what it returns. Closing the reader frees its buffers and
// does not close r. With None it passes r through and watches MaxBytes alone.
func NewReader(r io.Reader, f Format, lim Limits) (io.ReadCloser, error) {
	src := sources.Get().(*source)
	src.reset(r)
	d := &reader{format: f, lim: lim, src: src}
	if err := d.open(); err != nil {
		err = d.judge(err)
		d.release()
		return nil, err
	}
	return d, nil
}

// A source counts what a decoder reads and remembers why the underlying reader
// failed, to tell a broken disk from a broken stream.
type source struct {
	r   io.Reader
	buf *bufio.Reader
	n   int64
	err error
}

var sources = sync.Pool{New: func() any {
	s := new(source)
	s.buf = bufio.NewReaderSize(s, sourceBuffer)
	return s
}}

func (s *source) reset(r io.Reader) {
	s.r, s.n, s.err = r, 0, nil
	s.buf.Reset(s)
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		s.err = err
	}
	return n, err
}

// reader holds a decoder to its limits and translates its errors.
type reader struct {
	format Format
	lim    Limits
	src    *source // nil after Close
	dec    io.Reader
	free   func() // gives the decoder back; may be nil
	out    int64
	err    error
}

var gunzippers sync.Pool // of *gzip.Reader

func (d *reader) open() (err error) {
	switch d.format {
	case None:
		d.dec = d.src
	case Gzip:
		err = d.openGzip()
	case Zstd:
		err = d.openZstd()
	case Xz:
		d.dec, err = newXzReader(d.src.buf, window(d.lim.MaxWindow, defaultXzWindow))
	case Bzip2:
		d.dec = bzip2.NewReader(d.src.buf)
	default:
		err = content.Errorf(content.ErrUnsupported, "compression format %d", d.format)
	}
	return err
}

func (d *reader) openGzip() error {
	z, ok := gunzippers.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	if err := z.Reset(d.src.buf); err != nil {
		return err
	}
	d.dec, d.free = z, func() { gunzippers.Put(z) }
	return nil
}

func (d *reader) openZstd() error {
	if _, err := d.src.buf.Peek(1); err != nil {
		return err // no frame at all, which the decoder would take for an empty stream
	}
	win := max(window(d.lim.MaxWindow, defaultZstdWindow), zstd.MinWindowSize)
	z, err := zstd.NewReader(d.src.buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(win), zstd.WithDecoderMaxMemory(1<<63))
	if err != nil {
		return err
	}
	d.dec, d.free = z, z.Close
	return nil
}

func window(limit, fallback uint64) uint64 {
	if limit == 0 {
		return fallback
	}
	return limit
}

// Read implements io.Reader. Once it has failed it fails the same way again.
func (d *reader) Read(p []byte) (int, error) {
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	n, err := d.dec.Read(p)
	d.out += int64(n)
	if over := d.out - d.lim.MaxBytes; d.lim.MaxBytes > 0 && over > 0 {
		n -= int(over)
		d.err = content.Errorf(content.ErrRefused, "%s stream is longer than the limit of %d bytes", d.format, d.lim.MaxBytes)
		return n, d.err
	}
	if d.lim.MaxRatio > 0 && d.out > ratioFrom && d.out/d.lim.MaxRatio > d.src.n && d.format != None {
		d.err = content.Errorf(content.ErrRefused, "%s stream expands more than %d times", d.format, d.lim.MaxRatio)
		return n, d.err
	}
	if err != nil {
		d.err = d.judge(err)
	}
	return n, d.err
}

// judge says whether a decoder's error is the fault of the disk, of the stream's
// demands, or of its bytes. The end of a stream is no fault once it was opened.
func (d *reader) judge(err error) error {
	opened := d.dec != nil
	switch {
	case d.src.err != nil:
		return d.src.err
	case err == io.EOF && opened:
		return io.EOF
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return content.Errorf(content.ErrCorrupt, "%s stream is truncated", d.format)
	case errors.Is(err, content.ErrRefused), errors.Is(err, content.ErrUnsupported):
		return err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return content.Errorf(content.ErrRefused, "%s stream needs more history than the limit of %d bytes",
			d.format, window(d.lim.MaxWindow, defaultZstdWindow))
	default:
		return content.Errorf(content.ErrCorrupt, "%s stream is broken: %w", d.format, err)
	}
}

// Close frees the decoder; the underlying reader stays open.
func (d *reader) Close() error {
	if d.src != nil {
		d.err = errClosed
		d.release()
	}
	return nil
}

var errClosed = content.Errorf(content.ErrInvalid, "read of a closed decompressor")

func (d *reader) release() {
	if d.free != nil {
		d.free()
	}
	d.src.r = nil
	sources.Put(d.src)
	d.src, d.dec, d.free = nil, nil, nil
}
