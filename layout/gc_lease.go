package layout

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// An identity tells files apart that may have several names: by inode or, where there
// are none to be had, by size and time, which hard links share. Files that look the
// same are then taken for the same, and kept.
type identity struct {
	dev, ino    uint64
	size, mtime int64
}

func identify(info os.FileInfo) identity {
	s := durable.StampOf(info)
	if s.Ino != 0 {
		return identity{dev: s.Dev, ino: s.Ino}
	}
	return identity{size: s.Size, mtime: s.MtimeNs}
}

// writersStaging lists what is in the directory where writers stage; none if that is
// absent or not a directory of ours.
func (h *leaseHolder) writersStaging() ([]string, error) {
	for _, name := range []string{stateDir, filepath.Join(stateDir, "staging")} {
		info, err := os.Lstat(filepath.Join(h.root, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
			return nil, nil // writers make it anew, in place of a link
		}
		if err != nil {
			return nil, err
		}
	}
	root, err := h.stagingRoot()
	if err != nil {
		return nil, err
	}
	names, err := namesIn(root)
	return names, errors.Join(err, root.Close())
}

func (h *leaseHolder) stagingRoot() (*os.Root, error) {
	root, err := os.OpenRoot(h.root)
	if err != nil {
		return nil, err
	}
	staging, err := openPlainDir(root, path.Join(stateDir, "staging"))
	return staging, errors.Join(err, root.Close())
}

// leases lists the files that running writers hold, and clears the directories of
// those that died.
func (c *collector) leases() (map[identity]bool, error) {
	held := map[identity]bool{}
	names, err := c.l.lease.writersStaging()
	if err != nil || len(names) == 0 {
		return held, err
	}
	staging, err := c.l.lease.stagingRoot()
	if err != nil {
		return nil, err
	}
	defer func() { _ = staging.Close() }() // only a handle
	for _, name := range names {
		info, err := staging.Lstat(name)
		switch {
		case err != nil:
			continue // its writer has just ended
		case info.IsDir():
			err = c.lease(staging, name, info, held)
		case durable.SameOwner(info) && !c.young(info):
			err = c.clear(staging, name, info) // by an Init that died
		}
		if err != nil {
			return nil, err
		}
	}
	return held, nil
}

// lease looks at the directory of one writer.
func (c *collector) lease(staging *os.Root, name string, info os.FileInfo, held map[identity]bool) error {
	lock, alive, err := c.tryLease(staging, name, durable.SameOwner(info))
	if err != nil {
		return err
	}
	if lock != nil {
		defer func() { _ = lock.Unlock() }() // closing the file has released it
	}
	dir, err := staging.OpenRoot(name)
	if err != nil {
		return ifThere(err)
	}
	defer func() { _ = dir.Close() }() // only a handle
	// Who holds the lease, or would, has it locked by now, so these files are all that
	// a dead writer has left.
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, file := range names {
		info, err := dir.Lstat(file)
		if err != nil {
			continue // the writer has just let go of it
		}
		if alive && info.Mode().IsRegular() {
			held[identify(info)] = true
		}
	}
	if alive || !durable.SameOwner(info) {
		return nil
	}
	return c.clearLease(staging, dir, name, names)
}

// tryLease says whether a writer is alive; of one that is not it returns the lock, if
// there is one. Where nothing will be cleared, none is made.
func (c *collector) tryLease(staging *os.Root, name string, own bool) (*durable.FileLock, bool, error) {
	info, err := staging.Lstat(path.Join(name, "lease"))
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, false, nil // no writer made that
	case (c.o.DryRun || !own) && errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	}
	lock, err := durable.TryLock(filepath.Join(c.l.path, stateDir, "staging", name, "lease"), false)
	switch {
	case err == nil:
		return lock, false, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case errors.Is(err, content.ErrBusy), c.o.DryRun:
		return nil, true, nil
	}
	return nil, true, err
}

// clearLease removes the directory of a dead writer, the lease last, unless there is a
// young part of a blob with which a writer could go on. A new writer that chose the same
// name meanwhile keeps what it has put there.
func (c *collector) clearLease(staging, dir *os.Root, name string, names []string) error {
	kept := false
	for _, file := range names {
		info, err := dir.Lstat(file)
		if err != nil || file == "lease" {
			continue
		}
		if isPartial(file, info) && c.young(info) {
			c.report.KeptByGrace.add(info.Size())
			kept = true
		} else if info.IsDir() {
			if !c.o.DryRun {
				err = dir.RemoveAll(file) // writers make none
			}
		} else {
			err = c.clear(dir, file, info)
		}
		if err != nil {
			return err
		}
	}
	if c.o.DryRun || kept {
		return nil
	}
	if err := dir.Remove("lease"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := staging.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// clear removes a file of a dead writer.
func (c *collector) clear(dir *os.Root, name string, info os.FileInfo) error {
	size := info.Size()
	if durable.Shared(info) || !info.Mode().IsRegular() {
		size = 0
	}
	c.report.Staging.add(size)
	if c.o.DryRun {
		return nil
	}
	return ifThere(dir.Remove(name))
}

func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
