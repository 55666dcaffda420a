package durable

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// A File is a staged file: it is open for reading and writing under a random
// name, until [FS.Publish], [FS.LinkInto] or [FS.Replace] gives it its own; one of
// [FS.StageFor] may have no name at all until [FS.Replace], and Name is then that of
// the file which it is to become. It is not safe for concurrent use, except for
// WriteAt and ReadAt.
type File struct {
	*os.File // for reading, seeking and [Clone]; sync and close through File

	fs      FS
	unnamed bool
	closed  bool
	syncErr error
	written atomic.Int64 // by WriteAt
}

// writebackStep is after how many bytes the disk is told to begin with them, so that
// little is left for the fsync at the end.
const writebackStep = 8 << 20

// WriteAt writes as that of os.File does. It does not wait for the disk.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if done := f.written.Add(int64(n)); !f.fs.NoSync && done/writebackStep > (done-int64(n))/writebackStep {
		startWriteback(f.File)
	}
	return n, err
}

const stagedPrefix = ".staged-"

// stagedName is a new random name in dir.
func stagedName(dir string) string { return filepath.Join(dir, stagedPrefix+rand.Text()) }

// Stage makes an empty file with a new random name in dir. Its mode is 0644 less
// the umask, which is the one it keeps when it is published. The caller closes
// it, and calls Discard if it does not publish it; Discard is harmless after
// Publish and right after LinkInto, so it may be deferred.
func (d FS) Stage(dir string) (*File, error) {
	name := stagedName(dir)
	// O_EXCL follows no link: a name that is there in any form is an error.
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &File{File: f, fs: d}, nil
}

// Size returns the number of bytes in the file.
func (f *File) Size() (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// Fsync makes the file's bytes durable, but not its name. An error is final: the
// kernel forgets what it could not write, so that a later fsync would succeed
// without the bytes; every further Sync of f returns the same error.
func (f *File) Fsync() error {
	if f.fs.NoSync {
		return nil
	}
	if f.syncErr == nil {
		f.syncErr = f.fs.sys().sync(f.File)
	}
	return f.syncErr
}

// Close closes the file and leaves it under its staged name; one that has none is
// gone. Closing it again does nothing.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	return f.File.Close()
}

// Discard closes the file and removes its staged name, if it still has it.
func (f *File) Discard() error {
	cerr := f.Close()
	if f.unnamed {
		return cerr
	}
	err := remove(f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, cerr)
}
