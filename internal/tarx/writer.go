package tarx

import (
	"archive/tar"
	"io"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// A Writer writes a tar archive whose bytes depend on the calls alone. Its own
// members belong to owner 0 and have mode 0644 (directories 0755, links 0777)
// and one time. After an error every call returns it.
type Writer struct {
	w     io.Writer
	mtime time.Time
	name  string // of the member at hand
	left  int64  // bytes that its body lacks
	pad   int64  // zeros to write after it
	err   error
}

// NewWriter returns a writer to w whose members have the given time, cut to seconds.
func NewWriter(w io.Writer, mtime time.Time) *Writer {
	return &Writer{w: w, mtime: seconds(mtime)}
}

// File begins a regular file, as Header describes; exactly size bytes must be
// written before the next member or Close.
func (w *Writer) File(name string, size int64) error {
	h, err := Header(name, size, w.mtime)
	return w.begin(name, size, h, err)
}

// Dir adds a directory.
func (w *Writer) Dir(name string) error {
	clean, err := CleanName(name)
	if err != nil {
		return w.fail(err)
	}
	h, err := encode(&tar.Header{Typeflag: tar.TypeDir, Name: clean + "/", Mode: 0o755, ModTime: w.mtime})
	return w.begin(name, 0, h, err)
}

// Symlink adds a symbolic link to target, which is stored as it is and must not
// lead out of the archive.
func (w *Writer) Symlink(name, target string) error {
	clean, err := CleanName(name)
	if err != nil {
		return w.fail(err)
	}
	if _, err := CleanLink(clean, target); err != nil {
		return w.fail(err)
	}
	h, err := encode(&tar.Header{Typeflag: tar.TypeSymlink, Name: clean, Linkname: target, Mode: 0o777, ModTime: w.mtime})
	return w.begin(name, 0, h, err)
}

// RawHeader begins a member as a layer has it: its name and link as they are,
// type, permissions, numeric owner, time with its fraction, device numbers, and
// extended attributes. It leaves out user and group names, which would be looked
// up on another machine, and the times of access and change. For a regular file,
// exactly h.Size bytes must follow.
func (w *Writer) RawHeader(h *tar.Header) error {
	kept, err := raw(h)
	if err != nil {
		return w.fail(err)
	}
	b, err := encode(kept)
	return w.begin(h.Name, kept.Size, b, err)
}

// begin ends the member at hand and writes the next one's header, unless err.
func (w *Writer) begin(name string, size int64, header []byte, err error) error {
	if err != nil {
		return w.fail(err)
	}
	if err := w.end(); err != nil {
		return err
	}
	w.name, w.left, w.pad = name, size, Padding(size)
	return w.put(header)
}

// end completes the member at hand.
func (w *Writer) end() error {
	if w.err != nil {
		return w.err
	}
	if w.left > 0 {
		return w.fail(content.Errorf(content.ErrInvalid, "member %s lacks %d bytes", quote(w.name), w.left))
	}
	pad := w.pad
	w.pad = 0
	return w.put(zeros[:pad])
}

var zeros [TrailerSize]byte

// Write writes the body of the member at hand. More than its size is
// content.ErrInvalid, and the surplus is not written.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	fits := p[:min(int64(len(p)), w.left)]
	n, err := w.w.Write(fits)
	w.left -= int64(n)
	switch {
	case err != nil:
		return n, w.fail(err)
	case n < len(fits):
		return n, w.fail(io.ErrShortWrite)
	case n < len(p):
		return n, w.fail(content.Errorf(content.ErrInvalid, "member %s got more bytes than its size", quote(w.name)))
	}
	return n, nil
}

// Close completes the last member and writes the two zero blocks that end an
// archive. It does not close the underlying writer.
func (w *Writer) Close() error {
	if err := w.end(); err != nil {
		return err
	}
	if err := w.put(zeros[:]); err != nil {
		return err
	}
	w.err = content.Errorf(content.ErrInvalid, "write to a closed archive")
	return nil
}

func (w *Writer) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := w.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return w.fail(err)
	}
	return nil
}

// fail keeps the first error.
func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}
