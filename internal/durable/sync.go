package durable

import (
	"errors"
	"os"
)

// SyncDir makes the names in the directory path durable: those created, renamed
// and removed. It does nothing on Windows and on filesystems that cannot sync a
// directory.
func (d FS) SyncDir(path string) error {
	if d.NoSync || !haveDirSync {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := d.sys().sync(dir); err != nil && !cannotSyncDir(err) {
		return err
	}
	return nil
}

// SyncFile makes the bytes of the regular file path durable. It follows no link.
func (d FS) SyncFile(path string) error {
	if d.NoSync {
		return nil
	}
	f, err := openForSync(path)
	if err != nil {
		return err
	}
	return errors.Join(d.sys().sync(f), f.Close())
}

// SyncFS makes durable everything written so far to the filesystem that holds
// path. It reports false, having done nothing, where that is not possible, or
// where errors of earlier writes would not be told: anywhere but on Linux 5.8 and
// newer with a local filesystem known to tell them. The caller then syncs file by
// file. With NoSync it does nothing and reports true.
//
// Prefer a [SyncPoint] where other processes may sync the same filesystem: the
// kernel reports a lost write once to whoever watches at the time, and SyncFS
// watches only from its call on.
func (d FS) SyncFS(path string) (done bool, err error) {
	p, err := d.SyncPoint(path)
	if err != nil {
		return false, err
	}
	done, err = p.Flush()
	return done, errors.Join(err, p.Close())
}

// A SyncPoint is a moment from which on a filesystem's failed writes are told to
// us, whoever else syncs it. It serves one goroutine.
type SyncPoint struct {
	fs  FS
	dir *os.File // nil where syncing the whole filesystem is impossible or not wanted
}

// SyncPoint opens a SyncPoint on the filesystem that holds the directory path.
// Open it before the first write that it is to cover. The caller closes it.
func (d FS) SyncPoint(path string) (*SyncPoint, error) {
	p := &SyncPoint{fs: d}
	if d.NoSync || !haveSyncFS() {
		return p, nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if !tellsSyncErrors(dir) {
		return p, dir.Close()
	}
	p.dir = dir
	return p, nil
}

// Flush makes everything written to the filesystem durable; done and err are those
// of [FS.SyncFS]. After an error any write since the SyncPoint may be lost.
func (p *SyncPoint) Flush() (done bool, err error) {
	if p.fs.NoSync {
		return true, nil
	}
	if p.dir == nil {
		return false, nil
	}
	if err := p.fs.sys().syncFS(p.dir); err != nil {
		return false, &os.PathError{Op: "syncfs", Path: p.dir.Name(), Err: err}
	}
	return true, nil
}

// Close releases the SyncPoint. It syncs nothing.
func (p *SyncPoint) Close() error {
	if p.dir == nil {
		return nil
	}
	return p.dir.Close()
}
