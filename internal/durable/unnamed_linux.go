package durable

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// openUnnamed opens a new file that has no name, on the filesystem of final's
// directory, of which errors speak as final. It returns nil without an error where
// there are no such files, or where they can't be given a name, for want of /proc.
func openUnnamed(final string) (*os.File, error) {
	for {
		fd, err := unix.Open(filepath.Dir(final), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
		switch {
		case err == unix.EINTR:
			continue
		case isAny(err, unix.EISDIR, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL, unix.ENOENT):
			return nil, nil // if it is final's directory that is absent, Stage says so
		case err != nil:
			return nil, &os.PathError{Op: "open", Path: final, Err: err}
		}
		f := os.NewFile(uintptr(fd), final)
		if _, err := os.Lstat(openPath(f)); err != nil {
			return nil, f.Close()
		}
		return f, nil
	}
}

// openPath leads to an open file, whatever name it has.
func openPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

func linkOpen(f *os.File, to string) error {
	for {
		err := unix.Linkat(unix.AT_FDCWD, openPath(f), unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW)
		switch err {
		case nil:
			return nil
		case unix.EINTR:
			continue
		}
		return &os.PathError{Op: "link", Path: to, Err: err}
	}
}
