package layout

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// stateDir holds our own state in a layout's root. Nothing in it is trusted or
// needed, and it may be deleted while no ocilayout runs.
//
//	lock             locked by whoever changes index.json
//	writers          held shared by writers where hard links are not possible
//	staging/ID/      of one writer: blobs staged, and links to those relied on
//	staging/ID/lease locked while that writer lives
//	staging/ID/partial-ALG-HEX  the blob of this digest, or what has come of it
const stateDir = ".ocilayout"

// leaseHolder is a writer's own directory under staging, made at the first write.
// While its lease file is locked, gc leaves alone whatever is linked there.
type leaseHolder struct {
	root string
	disk durable.FS

	mu      sync.Mutex
	dir     string // "" until begun
	lease   *durable.FileLock
	writers *durable.FileLock

	partials map[string]bool // names in dir that one of the batches has; nil if none ever did
}

// begin makes the directory, once, and returns it.
func (h *leaseHolder) begin(ctx context.Context) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir != "" {
		return h.dir, nil
	}
	for attempt := 0; ; attempt++ {
		err := h.tryBegin(ctx)
		// Between making the directory and locking its lease, gc may take it for one
		// that was left behind: it has the lock for a moment, then the directory goes.
		if err == nil || attempt == 5 || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, content.ErrBusy) {
			return h.dir, err
		}
	}
}

func (h *leaseHolder) tryBegin(ctx context.Context) error {
	staging, err := h.ownDir("staging")
	if err != nil {
		return err
	}
	dir := filepath.Join(staging, rand.Text())
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	lease, err := durable.Lock(ctx, filepath.Join(dir, "lease"), durable.LockOptions{})
	if err != nil {
		return errors.Join(err, os.Remove(dir))
	}
	h.dir, h.lease = dir, lease
	return nil
}

// ownDir makes a directory of our state, and those above it. A layout may have
// been brought here with anything in their place: a link is removed, since a
// write must not go through it, and anything else is refused.
func (h *leaseHolder) ownDir(names ...string) (string, error) {
	dir := h.root
	for _, name := range append([]string{stateDir}, names...) {
		dir = filepath.Join(dir, name)
		info, err := os.Lstat(dir)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		} else if err == nil && !info.IsDir() {
			return "", content.At(dir, content.Errorf(content.ErrRefused, "is in the way: not a directory"))
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return dir, nil
}

// ownFile is the path of a file of our state that is to be locked. A link in its
// place is removed.
func (h *leaseHolder) ownFile(name string) (string, error) {
	dir, err := h.ownDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return path, nil
}

// lock takes the lock under which index.json changes. The returned function
// releases it.
func (h *leaseHolder) lock(ctx context.Context, timeout time.Duration) (func() error, error) {
	path, err := h.ownFile("lock")
	if err != nil {
		return nil, err
	}
	l, err := durable.Lock(ctx, path, durable.LockOptions{Timeout: timeout})
	if err != nil {
		return nil, err
	}
	return l.Unlock, nil
}

// withoutLinks notes that this filesystem has no hard links: the writer can't keep
// what it relies on by a link, and holds a lock that keeps gc out instead.
func (h *leaseHolder) withoutLinks(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writers != nil {
		return nil
	}
	path, err := h.ownFile("writers")
	if err != nil {
		return err
	}
	h.writers, err = durable.Lock(ctx, path, durable.LockOptions{Shared: true, Timeout: time.Minute})
	return err
}

// end releases the lease and removes the directory with what is left in it, unless
// the next writer can go on with some of that.
func (h *leaseHolder) end() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	if h.dir != "" {
		kept, err := h.keepPartials()
		if !kept {
			err = errors.Join(err, os.RemoveAll(h.dir))
		}
		errs = append(errs, err, h.lease.Unlock())
		h.dir, h.lease = "", nil
	}
	if h.writers != nil {
		errs = append(errs, h.writers.Unlock())
		h.writers = nil
	}
	return errors.Join(errs...)
}
