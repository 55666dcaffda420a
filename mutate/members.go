package mutate

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

const (
	blockSize = tarx.BlockSize
	// maxGroup is how many bytes the headers of one member may have: archive/tar takes
	// 1 MiB of each kind, and would take any number of them.
	maxGroup = 4 << 20
)

// members reads the members of a layer's tar: what archive/tar makes of each header,
// and its blocks as they are. Bodies are taken from the stream by the caller.
type members struct {
	in  *ahead
	tr  *tar.Reader
	rec recorder
	lim content.Limits
	n   int
}

// A found member is one header with the blocks that it was read from.
type found struct {
	header *tar.Header
	blocks []byte // of its headers; good until the next call of next
	body   int64  // bytes that follow, and are padded
}

func newMembers(in *ahead, lim content.Limits) *members {
	m := &members{in: in, lim: lim}
	m.rec.in = in
	m.tr = tar.NewReader(&m.rec)
	return m
}

// next goes on to the next member, whose body, with its padding, the caller takes
// from the stream before the next call. At the end of the archive it is io.EOF, with
// the blocks that say so.
func (m *members) next() (found, error) {
	m.rec.blocks = m.rec.blocks[:0]
	h, err := m.tr.Next()
	if err == io.EOF {
		return found{blocks: m.rec.blocks}, io.EOF
	}
	if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
		return found{}, m.fault(err)
	}
	if m.n++; m.n > m.lim.Members {
		return found{}, content.Errorf(content.ErrRefused, "layer has more than the limit of %d members", m.lim.Members)
	}
	f := found{header: h, blocks: m.rec.blocks}
	if h.Typeflag == tar.TypeXGlobalHeader {
		m.rec.skip = tarx.Padding(int64(len(f.blocks)))
		return f, checkGlobal(h)
	}
	if err := checkHeader(h); err != nil {
		return found{}, err
	}
	switch h.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
	default:
		f.body = h.Size
	}
	m.rec.skip = f.body + tarx.Padding(f.body)
	return f, nil
}

// fault says what an error of archive/tar means. What the stream said passes through.
func (m *members) fault(err error) error {
	switch {
	case m.rec.err != nil && m.rec.err != io.EOF:
		return m.rec.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return content.Errorf(content.ErrCorrupt, "layer's tar is truncated")
	case errors.Is(err, tar.ErrFieldTooLong):
		return content.Errorf(content.ErrRefused, "layer's tar has a header beyond all bounds")
	case errors.Is(err, tar.ErrHeader):
		return content.Errorf(content.ErrCorrupt, "layer's tar is damaged: %w", err)
	}
	return err
}

// A recorder is the stream as archive/tar sees it, and keeps the header blocks that it
// reads. Bodies were taken already when it comes to skip them: it reads them as zeros.
type recorder struct {
	in     *ahead
	blocks []byte
	skip   int64
	pos    int64
	err    error
}

func (r *recorder) Read(p []byte) (int, error) {
	if r.skip > 0 {
		n := int(min(r.skip, int64(len(p))))
		clear(p[:n])
		r.skip -= int64(n)
		r.pos += int64(n)
		return n, nil
	}
	n, err := r.in.Read(p)
	r.pos += int64(n)
	if err == nil && len(r.blocks)+n > maxGroup {
		err = content.Errorf(content.ErrRefused, "layer's tar has a member with more than %d bytes of headers", maxGroup)
	}
	if err != nil {
		r.err = err
		return 0, err
	}
	r.blocks = append(r.blocks, p[:n]...)
	return n, nil
}

// Seek goes forward over what is to be skipped: archive/tar asks for nothing else.
func (r *recorder) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 || offset > r.skip {
		return 0, content.Errorf(content.ErrInvalid, "seek by %d in a stream", offset)
	}
	r.skip -= offset
	r.pos += offset
	return r.pos, nil
}

// checkGlobal refuses a global header that other readers would apply to every member
// after it.
func checkGlobal(h *tar.Header) error {
	for key := range h.PAXRecords {
		switch key {
		case "path", "linkpath", "size", "mtime", "uid", "gid", "uname", "gname":
			return content.Errorf(content.ErrUnsupported, "layer has a global header that sets %q", key)
		}
		if strings.HasPrefix(key, sparsePrefix) {
			return content.Errorf(content.ErrUnsupported, "layer has a global header that sets %q", key)
		}
	}
	return nil
}

const sparsePrefix = "GNU.sparse."

// checkHeader refuses what no filter should see.
func checkHeader(h *tar.Header) error {
	if len(h.Name) > tarx.DefaultMaxName || len(h.Linkname) > tarx.DefaultMaxName {
		return content.Errorf(content.ErrRefused, "member %.200q: name or link is longer than %d bytes", h.Name, tarx.DefaultMaxName)
	}
	if strings.ContainsRune(h.Name, 0) || strings.ContainsRune(h.Linkname, 0) {
		return content.Errorf(content.ErrRefused, "member %.200q: name or link contains a NUL", h.Name)
	}
	sparse := h.Typeflag == tar.TypeGNUSparse
	for key := range h.PAXRecords {
		sparse = sparse || strings.HasPrefix(key, sparsePrefix)
	}
	if sparse {
		return content.Errorf(content.ErrUnsupported, "member %.200q is a sparse file", h.Name)
	}
	return nil
}

// cleanName is [tarx.MemberName], but that the root is ".".
func cleanName(name string) (string, error) {
	clean, err := tarx.MemberName(name)
	if clean == "" && err == nil {
		clean = "."
	}
	return clean, err
}

// isZero says whether b is all zeros.
func isZero(b []byte) bool {
	for len(b) > blockSize {
		if !bytes.Equal(b[:blockSize], zeroBlock[:]) {
			return false
		}
		b = b[blockSize:]
	}
	return bytes.Equal(b, zeroBlock[:len(b)])
}

var zeroBlock [blockSize]byte
