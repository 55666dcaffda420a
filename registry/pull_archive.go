package registry

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/layout"
)

// ArchiveOptions say what is pulled into an archive and how. Policy is of no use there.
type ArchiveOptions struct {
	PullOptions
	// Time is that of the archive's members; zero is 1970.
	Time time.Time
	// NoSync leaves out the fsync of the finished file.
	NoSync bool
}

// An ArchiveReport says what is in an archive that was pulled. Its JSON is stable.
type ArchiveReport struct {
	Digest content.Digest `json:"digest,omitempty"` // of the image, if it is one
	export.Result
}

// PullToFile brings images into an archive, which is byte for byte what [export.ToFile]
// makes of a layout that they were pulled to, and appears under its name as it says
// there. Layers go from the registry to their places in the archive, and lie on the disk
// once; manifests and configs are in the system's directory for temporary files
// meanwhile, in one called ocilayout-pull-…, which a process that is killed leaves there.
// So such a pull that ends early is begun anew. Requests are those of [PullAll] into an
// empty layout.
func PullToFile(ctx context.Context, s *Session, wants []Want, path string, o ArchiveOptions) (ArchiveReport, error) {
	return pullArchive(ctx, s, wants, o, func(roots []export.Root, xo export.Options) (export.Result, error) {
		return export.ToFile(ctx, path, roots, xo)
	})
}

// PullToWriter is PullToFile into a stream: see [export.ToWriter].
func PullToWriter(ctx context.Context, s *Session, wants []Want, w io.Writer, o ArchiveOptions) (ArchiveReport, error) {
	return pullArchive(ctx, s, wants, o, func(roots []export.Root, xo export.Options) (export.Result, error) {
		return export.ToWriter(ctx, w, roots, xo)
	})
}

func pullArchive(ctx context.Context, s *Session, wants []Want, o ArchiveOptions, write func([]export.Root, export.Options) (export.Result, error)) (report ArchiveReport, err error) {
	dir, err := os.MkdirTemp("", "ocilayout-pull-")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := layout.Init(ctx, dir, layout.Options{NoSync: true})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, l.Close()) }() // before the directory goes
	p := newPuller(l, o.PullOptions)
	p.left = map[content.Digest]int64{}
	pulled, err := p.run(ctx, s, wants)
	if err != nil {
		return report, err
	}
	roots := []export.Root{{Source: &lateSource{l.Reader, p.src, p.left}}}
	report.Digest = pulled.Digest
	report.Result, err = write(roots, export.Options{Time: o.Time, NoSync: o.NoSync})
	return report, err
}

// late says whether a node is left in the registry until it is asked for: a layer. One
// that need not be there is looked for at once.
func (p *puller) late() func(content.Node) bool {
	if p.left == nil {
		return nil
	}
	return func(n content.Node) bool {
		if n.Bytes != nil || n.Role != content.RoleLayer || content.IsForeign(n.MediaType) {
			return false
		}
		p.left[n.Digest] = n.Size
		return true
	}
}

// A lateSource has in a layout what the plan of an archive wants, and layers in the
// registry.
type lateSource struct {
	*layout.Reader
	from *pullSource
	left map[content.Digest]int64 // sizes of what is in the registry
}

// Fetch opens verified content.
func (l *lateSource) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	rc, err := l.Reader.Fetch(ctx, d)
	if _, late := l.left[d.Digest]; late && errors.Is(err, content.ErrNotFound) {
		return l.from.Fetch(ctx, d)
	}
	return rc, err
}

// Size is that of the bytes under a digest.
func (l *lateSource) Size(ctx context.Context, d content.Digest) (int64, error) {
	size, err := l.Reader.Size(ctx, d)
	if late, ok := l.left[d]; ok && errors.Is(err, content.ErrNotFound) {
		return late, nil
	}
	return size, err
}

// ReaderAt opens the bytes under a digest, unproven.
func (l *lateSource) ReaderAt(ctx context.Context, d content.Digest) (layout.BlobAt, error) {
	f, err := l.Reader.ReaderAt(ctx, d)
	size, late := l.left[d]
	if !late || !errors.Is(err, content.ErrNotFound) {
		return f, err
	}
	b := &lateBlob{ctx: ctx, from: l.from, desc: content.Descriptor{Digest: d, Size: size}}
	if err := b.open(0); err != nil {
		return nil, err
	}
	return b, nil
}

// A lateBlob is a blob in a registry that is read from its start to its end, or else
// asked for anew. It serves one goroutine.
type lateBlob struct {
	ctx  context.Context
	from *pullSource
	desc content.Descriptor
	rc   io.ReadCloser
	at   int64 // of the next byte of rc
}

func (b *lateBlob) open(offset int64) (err error) {
	b.rc, err = b.from.FetchFrom(b.ctx, b.desc, offset)
	b.at = offset
	return err
}

func (b *lateBlob) ReadAt(p []byte, off int64) (int, error) {
	if off != b.at || b.rc == nil {
		if err := errors.Join(b.Close(), b.open(off)); err != nil {
			return 0, err
		}
	}
	n, err := io.ReadFull(b.rc, p)
	b.at += int64(n)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

func (b *lateBlob) Size() int64 { return b.desc.Size }

func (b *lateBlob) Close() error {
	if b.rc == nil {
		return nil
	}
	err := b.rc.Close()
	b.rc = nil
	return err
}
