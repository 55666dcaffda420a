package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// Clone makes dst, an empty file open for writing, share all the bytes of src
// without copying them (a reflink), and reports whether it did. It reports false
// with no error, and leaves dst empty, where the filesystem or the pair of files
// does not allow it. Bytes and name of dst are not durable yet.
func Clone(dst, src *os.File) (bool, error) {
	for {
		err := unix.IoctlFileClone(int(dst.Fd()), int(src.Fd()))
		switch {
		case err == nil:
			return true, nil
		case err == unix.EINTR:
			continue
		case isAny(err, unix.EOPNOTSUPP, unix.EXDEV, unix.EINVAL, unix.ENOTTY, unix.ENOSYS,
			unix.EPERM, unix.ETXTBSY):
			return false, nil
		default:
			return false, &os.PathError{Op: "reflink", Path: dst.Name(), Err: err}
		}
	}
}
