//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openLock opens the lock file for writing, which flock on NFS wants, or a file
// that another user has made for reading, which is enough elsewhere. O_NONBLOCK
// keeps a fifo in its place from blocking us before it is refused.
func openLock(path string) (*os.File, error) {
	if fi, err := os.Lstat(path); err == nil {
		if err := checkRegular(path, fi); err != nil {
			return nil, err
		}
	}
	const safe = unix.O_NOFOLLOW | unix.O_NONBLOCK
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|safe, 0o644)
	if errors.Is(err, fs.ErrPermission) {
		if ro, rerr := os.OpenFile(path, os.O_RDONLY|safe, 0); rerr == nil {
			return ro, nil
		}
	}
	return f, refuseLink(path, err, false)
}

func lockFile(f *os.File, shared bool) error {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	return flock(f, how|unix.LOCK_NB)
}

func unlockFile(f *os.File) error { return flock(f, unix.LOCK_UN) }

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}

func lockHeld(err error) bool { return isAny(err, unix.EWOULDBLOCK, unix.EAGAIN) }

func lockImpossible(err error) bool {
	return isAny(err, unix.ENOLCK, unix.ENOSYS, unix.ENOTSUP, unix.EOPNOTSUPP)
}
