package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// LockOptions say which lock to take and how long to wait for it.
type LockOptions struct {
	// Shared takes a lock that others may share; without it the lock excludes all.
	Shared bool
	// Timeout is how long to wait: 0 tries once, a negative one waits as long as
	// the context allows.
	Timeout time.Duration
}

// A FileLock is a kernel lock on a file. It is released by Unlock and by the death
// of the process. It excludes other FileLocks of this process as well.
type FileLock struct {
	path string
	f    *os.File // nil when unlocked
}

// Waiting processes look again after a pause that grows between these two.
const (
	firstPause = time.Millisecond
	lastPause  = 25 * time.Millisecond
)

// maxStale bounds how often a lock file may vanish between being opened and being
// locked within one try.
const maxStale = 100

// Lock locks the file path, which it makes if it is absent (0644 less umask), and
// waits for other holders as o says. It follows no link and refuses what is not a
// regular file (content.ErrRefused). Errors match content.ErrBusy after the
// timeout, content.ErrUnsupported where the filesystem has no working locks, and
// the context's error once it is done. Waiters are served in no order, and one
// that wants the lock alone may wait forever behind holders who share it.
func Lock(ctx context.Context, path string, o LockOptions) (*FileLock, error) {
	start := time.Now()
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		if err := context.Cause(ctx); err != nil {
			return nil, content.At(path, fmt.Errorf("waiting for the lock: %w", err))
		}
		l, err := TryLock(path, o.Shared)
		if err == nil || !errors.Is(err, content.ErrBusy) {
			return l, err
		}
		wait := pause/2 + rand.N(pause)
		if o.Timeout >= 0 {
			left := o.Timeout - time.Since(start)
			if left <= 0 {
				return nil, err
			}
			wait = min(wait, left)
		}
		sleep(ctx, wait)
	}
}

// sleep returns after d, or earlier when ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// TryLock is Lock without waiting.
func TryLock(path string, shared bool) (*FileLock, error) {
	for range maxStale {
		f, err := openLock(path)
		if err != nil {
			return nil, err
		}
		err = lockCurrent(f, path, shared)
		if err == nil {
			return &FileLock{path: path, f: f}, nil
		}
		_ = f.Close()
		if !errors.Is(err, errStale) {
			return nil, err
		}
	}
	return nil, busy(path)
}

// errStale says that the file which was locked has lost its name meanwhile.
var errStale = errors.New("the lock file was replaced")

// lockCurrent locks f and proves that path still leads to it: a lock on a file
// that was removed or replaced excludes no one.
func lockCurrent(f *os.File, path string, shared bool) error {
	if _, err := regular(f); err != nil {
		return err
	}
	if err := lockFile(f, shared); err != nil {
		return lockError(path, err)
	}
	current, err := isAt(f, path)
	if err == nil && !current {
		err = errStale
	}
	return err
}

// isAt reports whether path is a name of the open file f.
func isAt(f *os.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}

func lockError(path string, err error) error {
	switch {
	case lockHeld(err):
		return busy(path)
	case lockImpossible(err):
		return content.At(path, content.Errorf(content.ErrUnsupported,
			"the filesystem has no working locks, so nothing can be written here safely: %w", err))
	default:
		return &os.PathError{Op: "lock", Path: path, Err: err}
	}
}

func busy(path string) error {
	return content.At(path, content.Errorf(content.ErrBusy, "locked by another process"))
}

// Unlock releases the lock and leaves the file where it is. Unlocking again does
// nothing.
func (l *FileLock) Unlock() error {
	if l.f == nil {
		return nil
	}
	// A child that is just being started may share the descriptor for a moment, so
	// closing it alone would not release the lock at once.
	err := unlockFile(l.f)
	if err != nil {
		err = &os.PathError{Op: "unlock", Path: l.path, Err: err}
	}
	err = errors.Join(err, l.f.Close())
	l.f = nil
	return err
}

// UnlockAndRemove removes the lock's file while the lock is held and then releases
// it, for locks whose other users expect the file to vanish. A file that someone
// else put in its place stays.
func (l *FileLock) UnlockAndRemove() error {
	if l.f == nil {
		return nil
	}
	mine, err := isAt(l.f, l.path)
	if mine {
		err = remove(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, l.Unlock())
}
