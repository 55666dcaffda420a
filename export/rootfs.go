package export

import (
	"bytes"
	"context"
	"io"
	"os"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// rootArchive is the merged files of one image in one tar, in the order of
// imagefs.Tree.Files.
type rootArchive struct {
	*plan
	image *node
	src   Source
	tree  *imagefs.Tree
	files int
}

func newRootArchive(ctx context.Context, p *plan) (archive, error) {
	image, err := p.oneImage()
	if err != nil {
		return nil, err
	}
	layers, err := p.layersOf(image)
	if err != nil {
		return nil, err
	}
	src := p.sources[image.src]
	tree, err := imagefs.Build(ctx, src, layers, p.o.Limits)
	if err != nil {
		return nil, missingLayer(err)
	}
	return &rootArchive{plan: p, image: image, src: src, tree: tree}, nil
}

// oneImage is the image among the entries, of which there must be one.
func (p *plan) oneImage() (*node, error) {
	var image *node
	for _, e := range p.entries.list {
		switch {
		case !e.image && e.chosen:
			return nil, content.At(string(p.entries.name(e)), content.Errorf(content.ErrUnsupported, "is no image and has no files"))
		case !e.image:
			continue
		case image != nil && image.id != e.id:
			return nil, content.Errorf(content.ErrInvalid, "a root filesystem is that of one image; say which")
		}
		image = p.here(e.id)
	}
	if image == nil {
		return nil, content.Errorf(content.ErrNotFound, "there is no image")
	}
	run := p.runnable(image)
	if run == nil {
		return nil, content.AtDigest(p.digest(image.id), content.Errorf(content.ErrMissing, "none of the index's images is there"))
	}
	return run, nil
}

func (a *rootArchive) result() Result {
	r := a.resultOf()
	r.Artifacts, r.LeftOut = nil, a.besidesTaken(map[digestID]bool{a.image.id: true})
	r.Blobs = a.files
	return r
}

// writeFile writes all headers, one after the other with room for the bodies, and
// then the bodies to their places, as the layers bring them.
func (a *rootArchive) writeFile(ctx context.Context, f *durable.File) (int64, error) {
	return a.write(ctx, f.File)
}

func (a *rootArchive) write(ctx context.Context, f *os.File) (int64, error) {
	places := make([]int64, a.tree.Len())
	sizes := make([]int64, a.tree.Len())
	total, err := a.headers(ctx, f, places, sizes)
	if err != nil {
		return 0, err
	}
	if err := f.Truncate(total); err != nil {
		return 0, err
	}
	bytes := int64(0)
	for _, size := range sizes {
		bytes += size
	}
	report := meter(ctx, bytes)
	err = a.tree.Bodies(ctx, a.src, func(body int, r io.Reader) error {
		return writeBody(ctx, newFiller(places[body], writesAt(f, report)), sizes[body], r)
	})
	return total, missingLayer(err)
}

// headers writes the headers to their places, and finds those of the bodies.
func (a *rootArchive) headers(ctx context.Context, w io.WriterAt, places, sizes []int64) (int64, error) {
	f := newFiller(0, writesAt(w, func(int) {}))
	defer func() { f.close() }()
	for file := range a.tree.Files() {
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		var header bytes.Buffer
		if err := tarx.NewWriter(&header, time.Time{}).RawHeader(file.Header()); err != nil {
			return 0, err
		}
		if _, err := f.Write(header.Bytes()); err != nil {
			return 0, err
		}
		a.files++
		if file.Body < 0 {
			continue
		}
		places[file.Body], sizes[file.Body] = f.position(), file.Size()
		if err := f.flush(); err != nil {
			return 0, err
		}
		f.off += file.Size() + tarx.Padding(file.Size())
	}
	return f.position() + tarx.TrailerSize, f.flush()
}

// writeBody copies exactly size bytes.
func writeBody(ctx context.Context, f *filler, size int64, r io.Reader) error {
	defer f.close()
	n, err := f.copy(ctx, r, size)
	if err == nil && n != size {
		err = content.Errorf(content.ErrSize, "file changed while it was read")
	}
	if err != nil {
		return err
	}
	return f.flush()
}

// writeStream puts the archive together in a temporary file that has lost its name
// before it is filled: the layers don't bring the files in the archive's order.
func (a *rootArchive) writeStream(ctx context.Context, w io.Writer) (size int64, err error) {
	f, err := os.CreateTemp("", "ocilayout-rootfs-*")
	if err != nil {
		return 0, err
	}
	removed := os.Remove(f.Name()) == nil // Windows can't remove an open file
	defer func() {
		_ = f.Close() // nobody reads it again
		if !removed {
			_ = os.Remove(f.Name())
		}
	}()
	if size, err = a.write(ctx, f); err != nil {
		return 0, err
	}
	_, err = io.Copy(w, content.Track(ctx, io.NewSectionReader(f, 0, size), "export", "archive", size))
	return size, err
}
