package layout

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// partialPrefix begins the names of staged files that say whose bytes they begin with.
const partialPrefix = "partial-"

// keepPartial is how many bytes are worth being kept for the next run, and maxPartials
// of how many files one looks.
const (
	keepPartial = 1 << 20
	maxPartials = 10_000
)

func partialName(d content.Digest) string {
	return partialPrefix + d.Algorithm().String() + "-" + d.Encoded()
}

// isPartial says whether a file of a writer's directory may be one that Resume takes
// up. What it has published has another name, too.
func isPartial(name string, info os.FileInfo) bool {
	return strings.HasPrefix(name, partialPrefix) && info.Mode().IsRegular() &&
		durable.SameOwner(info) && !durable.Shared(info)
}

// partial gives the writer a file for d alone: the one that an earlier writer left
// staged, if there is one, else an empty one. It is nil if this writer has one already.
func (h *leaseHolder) partial(ctx context.Context, d content.Digest) (*durable.File, error) {
	dir, err := h.begin(ctx)
	if err != nil {
		return nil, err
	}
	name := partialName(d)
	path := filepath.Join(dir, name)
	if !h.reserve(name) {
		return nil, nil
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		h.takeOver(name, path)
	}
	f, err := h.disk.Resume(path)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		if err := os.Remove(path); err != nil { // nothing to go on with
			return nil, err
		}
	}
	return h.disk.StageAs(dir, name)
}

// reserve says whether nobody of this writer has the name.
func (h *leaseHolder) reserve(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.partials[name] {
		return false
	}
	if h.partials == nil {
		h.partials = map[string]bool{}
	}
	h.partials[name] = true
	return true
}

// leave lets another batch of this writer have the name, or another writer once this
// one has ended.
func (h *leaseHolder) leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.partials, name)
}

// takeOver renames to path the longest of the files called name that writers left who
// are gone. There may be none; whatever is in the way, the blob is fetched whole.
func (h *leaseHolder) takeOver(name, path string) {
	staging := filepath.Dir(filepath.Dir(path))
	for _, from := range h.left(name) {
		dir := filepath.Join(staging, from)
		lock, err := durable.TryLock(filepath.Join(dir, "lease"), false)
		if err != nil {
			continue // it is not gone, or another one looks at it
		}
		// As long as the lease is locked nobody else takes the file, and gc waits.
		if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && isPartial(name, info) {
			err = h.disk.Publish(filepath.Join(dir, name), path)
			h.tidy(dir, lock)
			if err == nil {
				return
			}
			continue
		}
		_ = lock.Unlock() // closing the file has released it
	}
}

// tidy removes the directory of a writer that is gone if nothing but its lease is left.
func (h *leaseHolder) tidy(dir string, lease *durable.FileLock) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 1 {
		_ = lease.Unlock()
		return
	}
	_ = lease.UnlockAndRemove()
	_ = os.Remove(dir) // or else gc does
}

// left lists the directories of other writers that have a file called name, the one
// with the longest first.
func (h *leaseHolder) left(name string) []string {
	staging, err := h.stagingRoot()
	if err != nil {
		return nil
	}
	defer func() { _ = staging.Close() }() // only a handle
	dirs, err := namesIn(staging)
	if err != nil {
		return nil
	}
	type candidate struct {
		dir  string
		size int64
	}
	var found []candidate
	for _, dir := range dirs[:min(len(dirs), maxPartials)] {
		if info, err := staging.Lstat(dir); err != nil || !info.IsDir() || !durable.SameOwner(info) {
			continue
		}
		if info, err := staging.Lstat(filepath.Join(dir, name)); err == nil && isPartial(name, info) {
			found = append(found, candidate{dir, info.Size()})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.dir, b.dir)) })
	list := make([]string, len(found))
	for i, c := range found {
		list[i] = c.dir
	}
	return list
}

// keepPartials removes what is in the writer's directory but what the next writer can
// go on with, and says whether there is such.
func (h *leaseHolder) keepPartials() (bool, error) {
	if h.partials == nil {
		return false, nil // there never was any
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return false, err
	}
	var others []string
	for _, entry := range entries {
		info, err := entry.Info()
		if entry.Name() == "lease" || err == nil && isPartial(entry.Name(), info) && info.Size() >= keepPartial {
			continue
		}
		others = append(others, entry.Name())
	}
	if len(others)+1 >= len(entries) {
		return false, nil
	}
	var errs []error
	for _, name := range others {
		if err := os.Remove(filepath.Join(h.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return true, errors.Join(errs...)
}
