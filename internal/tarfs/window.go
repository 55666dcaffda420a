package tarfs

import "io"

// window reads an io.ReaderAt as a seekable stream, a few headers at a time:
// archive/tar asks for one block after the other and seeks over bodies, which
// would be two system calls for each small member.
type window struct {
	r     io.ReaderAt
	size  int64
	pos   int64  // of the next byte to return; the body's, after a header
	start int64  // of buf in r
	buf   []byte // what was read last
	mem   [16 << 10]byte
}

func (w *window) Read(p []byte) (int, error) {
	if w.pos >= w.size {
		return 0, io.EOF
	}
	if w.pos < w.start || w.pos >= w.start+int64(len(w.buf)) {
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.buf[w.pos-w.start:])
	w.pos += int64(n)
	return n, nil
}

// fill reads the bytes from pos on.
func (w *window) fill() error {
	part := w.mem[:min(int64(len(w.mem)), w.size-w.pos)]
	n, err := w.r.ReadAt(part, w.pos)
	if n == 0 && err == io.EOF {
		return io.ErrUnexpectedEOF // the archive is shorter than it was said to be
	}
	if n == 0 && err != nil {
		return err
	}
	w.start, w.buf = w.pos, part[:n]
	return nil
}

// Seek implements io.Seeker from the start and from the position, which is all
// that archive/tar needs.
func (w *window) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekCurrent {
		offset += w.pos
	}
	if offset < 0 {
		return w.pos, errInvalidPath
	}
	w.pos = offset
	return offset, nil
}
