package ingest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

const (
	// copyBuffer is the unit in which bodies are copied.
	copyBuffer = 1 << 20
	// apart is the size from which a body is worth a goroutine of its own.
	apart = 1 << 20
)

var buffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// copyTo copies r to w in large pieces.
func copyTo(w io.Writer, r io.Reader) (int64, error) {
	buf := buffers.Get().(*[copyBuffer]byte)
	defer buffers.Put(buf)
	return io.CopyBuffer(writerOnly{w}, readerOnly{r}, buf[:])
}

// writerOnly and readerOnly hide ReadFrom and WriteTo, which would copy in small
// pieces.
type writerOnly struct{ io.Writer }
type readerOnly struct{ io.Reader }

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// scan takes in every member of the archive.
func (im *importer) scan(ctx context.Context, in *input) error {
	if in.at != nil {
		return im.scanFile(ctx, in)
	}
	plain, err := in.decompress(im.o.Limits)
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // it only gives back buffers
	tr := &members{r: tarx.NewReader(plain, tarx.Limits{MaxMembers: im.o.Limits.Members})}
	for {
		h, err := tr.next()
		if err == io.EOF {
			// What follows is padding, which a program writing into our standard input
			// wants to be rid of, and the checksum of the compression.
			_, err := io.Copy(io.Discard, plain)
			return err
		}
		if err != nil {
			return err
		}
		if err := im.take(ctx, h, tr.r); err != nil {
			return err
		}
	}
}

// members goes through a tar archive, and tells a damaged one from what is none.
type members struct {
	r   *tarx.Reader
	any bool
}

func (m *members) next() (*tar.Header, error) {
	h, err := m.r.Next()
	if !m.any && errors.Is(err, content.ErrCorrupt) {
		return nil, content.Errorf(content.ErrCorrupt, "not a tar archive")
	}
	m.any = true
	return h, err
}

// scanFile is scan with random access: large blobs are taken in beside each other,
// each on one core, while layers to compress use all cores one by one.
func (im *importer) scanFile(ctx context.Context, in *input) error {
	s := newSeeker(in.at, in.size)
	tr := &members{r: tarx.NewReader(s, tarx.Limits{MaxMembers: im.o.Limits.Members})}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(min(runtime.GOMAXPROCS(0), 4))
	var failed error
	for failed == nil && gctx.Err() == nil {
		h, err := tr.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			failed = err
			break
		}
		if h.Typeflag == tar.TypeReg && h.Size >= apart {
			body := io.NewSectionReader(in.at, s.offset(), h.Size)
			g.Go(func() error { return im.take(ctx, h, body) })
		} else {
			failed = im.take(gctx, h, tr.r)
		}
	}
	if err := g.Wait(); failed == nil {
		failed = err
	}
	if failed != nil {
		return failed
	}
	if t, ok := in.at.(*trackedAt); ok {
		t.finish()
	}
	return context.Cause(ctx)
}

// take takes in one member, whose bytes are in body.
func (im *importer) take(ctx context.Context, h *tar.Header, body io.Reader) error {
	m := &member{name: h.Name, size: h.Size}
	src := &guard{r: body, left: h.Size}
	var err error
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
		err = im.takeFile(ctx, m, src)
	case tar.TypeSymlink:
		m.target, err = tarx.CleanLink(h.Name, h.Linkname)
	case tar.TypeLink:
		m.target, err = tarx.CleanName(h.Linkname)
	default:
		m.fault = content.Errorf(content.ErrRefused, "is not a file")
	}
	if src.err != nil {
		return content.At(h.Name, src.err) // whatever else it led to
	}
	if err == nil && m.target != "" && special(h.Name) {
		err = content.Errorf(content.ErrRefused, "is a link, and must be a file")
	}
	if err != nil {
		return content.At(h.Name, err)
	}
	return im.add(m)
}

// special says whether a name must be a file: what it holds is proven by the name
// itself, or is where everything begins.
func special(name string) bool {
	return strings.HasPrefix(name, blobsDir) || name == indexName || name == docker.ManifestName || name == layoutName
}

// guard reads a member's body and remembers how the archive itself failed, so
// that a damaged member can be told from a damaged archive.
type guard struct {
	r    io.Reader
	left int64
	err  error
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.left -= int64(n)
	switch {
	case err == io.EOF && g.left > 0:
		err = content.Errorf(content.ErrCorrupt, "archive is truncated: %d bytes are missing here", g.left)
		g.err = err
	case err != nil && err != io.EOF:
		g.err = err
	}
	return n, err
}

// takeFile decides by name and first bytes what a file may be.
func (im *importer) takeFile(ctx context.Context, m *member, body io.Reader) error {
	switch {
	case m.name == indexName:
		return im.takeTable(ctx, m, body, im.o.Limits.Index)
	case m.name == docker.ManifestName, m.name == layoutName, m.name == docker.RepositoriesName:
		return im.takeTable(ctx, m, body, im.o.Limits.Manifest)
	case strings.HasPrefix(m.name, blobsDir):
		return im.takeBlob(ctx, m, body)
	}
	prefix := make([]byte, tarx.BlockSize)
	n, err := io.ReadFull(body, prefix)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	prefix = prefix[:n]
	whole := io.MultiReader(bytes.NewReader(prefix), body)
	switch {
	case compress.Detect(prefix) != compress.None, looksLikeTar(prefix), path.Ext(m.name) == ".tar":
		return im.takeLayer(ctx, m, prefix, whole)
	case looksLikeJSON(prefix) && m.size <= im.o.Limits.Manifest:
		return im.takeSmall(ctx, m, whole)
	case looksLikeJSON(prefix):
		m.fault = content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", m.size, im.o.Limits.Manifest)
	default:
		m.fault = content.Errorf(content.ErrCorrupt, "is neither a layer nor JSON")
	}
	return m.hashOnly(whole)
}

// looksLikeTar says whether a block is a tar header by its checksum, or the first
// of an empty archive.
func looksLikeTar(block []byte) bool {
	if len(block) < tarx.BlockSize {
		return false
	}
	const field, width = 148, 8 // of the checksum, which counts as spaces
	sum, zero := int64(width*' '), true
	for i, c := range block {
		zero = zero && c == 0
		if i < field || i >= field+width {
			sum += int64(c)
		}
	}
	return zero || sum == octal(block[field:field+width])
}

// octal reads a number as tar headers have it; -1 is none.
func octal(field []byte) int64 {
	digits := bytes.Trim(field, " \x00")
	n := int64(-1)
	for i, c := range digits {
		if c < '0' || c > '7' {
			return -1
		}
		if i == 0 {
			n = 0
		}
		n = n<<3 | int64(c-'0')
	}
	return n
}

func looksLikeJSON(prefix []byte) bool {
	trimmed := bytes.TrimLeft(prefix, " \t\r\n")
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
}
