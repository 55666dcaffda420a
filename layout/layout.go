package layout

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// A Layout is a layout in a directory, open for reading and writing. It is safe for
// concurrent use, and any number of processes may have the same directory open.
//
// The first write begins a lease: what this Layout has written or relies on is kept
// from a concurrent gc until Close, even while no name points to it.
type Layout struct {
	*Reader
	disk  durable.FS
	lease leaseHolder
	own   *Batch // of Push and PushBytes

	mu      sync.Mutex
	batches []*Batch // those not closed
	begun   int      // batches so far
}

// Open opens the layout in dir for reading and writing. Nothing is written until
// something is pushed or updated. The caller closes it. An absent one is
// ErrNotFound, an archive ErrUnsupported.
func Open(dir string, o Options) (*Layout, error) {
	r, err := OpenReader(dir, o)
	if err != nil {
		return nil, err
	}
	if r.archive {
		_ = r.Close() // only read
		return nil, content.At(dir, content.Errorf(content.ErrUnsupported, "an archive is read in place and can't be written"))
	}
	return newLayout(r), nil
}

func newLayout(r *Reader) *Layout {
	l := &Layout{Reader: r, disk: durable.FS{NoSync: r.o.NoSync}}
	l.lease.root, l.lease.disk = r.path, l.disk
	l.own = l.Batch()
	return l
}

// emptyIndex is the index.json of a new layout.
const emptyIndex = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`

// Init makes dir an empty layout (image-spec image-layout.md) and opens it. What
// is a layout already is opened as it is, but gets an oci-layout if it has none. A
// directory that holds other files is ErrConflict. The layout is durable when Init
// returns; made half by a process that died, it is completed by the next.
func Init(ctx context.Context, dir string, o Options) (*Layout, error) {
	o = o.withDefaults()
	disk := durable.FS{NoSync: o.NoSync}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, content.At(dir, content.Errorf(content.ErrConflict, "is not a directory"))
	}
	if err := disk.MkdirAll(dir); err != nil {
		return nil, err
	}
	marked := isMarked(dir)
	asIs := o
	if !marked {
		asIs.Warn = nil // what it would say is mended here
	}
	indexed := false
	if l, err := Open(dir, asIs); err == nil {
		if indexed = l.hasIndex(); indexed && marked {
			return l, nil
		}
		_ = l.Close() // nothing was written
	} else if !errors.Is(err, content.ErrUnsupported) {
		return nil, err
	}
	if !indexed {
		if err := checkEmpty(dir); err != nil {
			return nil, err
		}
	}
	holder := leaseHolder{root: dir, disk: disk}
	unlock, err := holder.lock(ctx, o.LockTimeout)
	if err != nil {
		return nil, err
	}
	err = holder.initFiles()
	if unlockErr := unlock(); err == nil {
		err = unlockErr
	}
	if err != nil {
		return nil, err
	}
	return Open(dir, o)
}

// isMarked says whether dir has an oci-layout, whatever is in it.
func isMarked(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "oci-layout"))
	return err == nil
}

func (r *Reader) hasIndex() bool {
	f, err := r.src.index()
	if err != nil {
		return false
	}
	_ = f.Close() // only read
	return true
}

// checkEmpty holds that a directory has nothing but the parts of a layout that
// another Init may just be making.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case stateDir, "blobs", "oci-layout", "index.json", "lost+found":
		default:
			return content.At(dir, content.Errorf(content.ErrConflict, "is neither empty nor an OCI layout: it holds %q", e.Name()))
		}
	}
	return nil
}

// initFiles writes what is missing; oci-layout goes last, since it is what makes
// the directory a layout.
func (h *leaseHolder) initFiles() error {
	if err := h.disk.MkdirAll(filepath.Join(h.root, "blobs", "sha256")); err != nil {
		return err
	}
	for _, f := range []struct{ name, data string }{{"index.json", emptyIndex}, {"oci-layout", `{"imageLayoutVersion":"1.0.0"}`}} {
		path := filepath.Join(h.root, f.name)
		if _, err := os.Lstat(path); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := h.initFile(path, f.data); err != nil {
			return err
		}
	}
	return nil
}

// initFile writes one file, staged where a process that dies may leave it.
func (h *leaseHolder) initFile(path, data string) error {
	staging, err := h.ownDir("staging")
	if err != nil {
		return err
	}
	f, err := h.disk.Stage(staging)
	if err != nil {
		return err
	}
	if _, err = f.WriteString(data); err == nil {
		err = h.disk.Replace(f, path)
	}
	return errors.Join(err, f.Discard())
}

// Push stores one blob, proven; it is durable when Push returns. See Batch.Push for
// what is there already, and use a Batch for many. A manifest that has a subject is
// also put on the list of its subject's referrers, by an Update, so that Push must
// not be called inside one for such; Batch.Push does nothing of that kind.
func (l *Layout) Push(ctx context.Context, want content.Descriptor, r io.Reader) error {
	if err := l.own.Push(ctx, want, r); err != nil {
		return err
	}
	if err := l.own.Publish(ctx); err != nil {
		return err
	}
	return l.listPushed(ctx, want)
}

// PushBytes stores data under its sha256 and returns its descriptor. It is durable
// when PushBytes returns.
func (l *Layout) PushBytes(ctx context.Context, mediaType string, data []byte) (content.Descriptor, error) {
	desc, err := l.own.PushBytes(ctx, mediaType, data)
	if err != nil {
		return desc, err
	}
	return desc, l.own.Publish(ctx)
}

// Exists is Reader.Exists. What is there is kept from a concurrent gc until Close,
// since the caller may rely on it.
func (l *Layout) Exists(ctx context.Context, target content.Descriptor) (bool, error) {
	return l.own.Exists(ctx, target)
}

// Close ends the lease and drops what was staged and not published. It does not
// wait for anything; what was acknowledged is durable already.
func (l *Layout) Close() error {
	return errors.Join(l.own.Close(), l.lease.end(), l.Reader.Close())
}
