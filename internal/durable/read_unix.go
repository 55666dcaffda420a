//go:build unix

package durable

import (
	"io"
	"io/fs"
	"os"

	"github.com/ocilayout/ocilayout/content"
	"golang.org/x/sys/unix"
)

// ReadRegularNoFollow reads the whole of a small regular file, of at most max
// bytes. What is not one, a link included, is refused (content.ErrRefused) as
// [OpenRegularNoFollow] does. It takes few system calls, for those who read very
// many files.
func ReadRegularNoFollow(path string, max int64) ([]byte, error) {
	fd, size, err := openSmall(path, max)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // only read
	data := make([]byte, size+1)          // one more shows that the file has grown
	n, err := readSmall(fd, path, data, size)
	if err != nil {
		return nil, err
	}
	return data[:n], nil
}

// openSmall opens a regular file of at most max bytes. The caller closes it.
func openSmall(path string, max int64) (fd int, size int64, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return -1, 0, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return -1, 0, content.At(path, content.Errorf(content.ErrRefused, "is not a regular file"))
	}
	for {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return -1, 0, refuseLink(path, &fs.PathError{Op: "open", Path: path, Err: err}, false)
	}
	switch err = unix.Fstat(fd, &st); {
	case err != nil:
		err = os.NewSyscallError("fstat", err)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = content.At(path, content.Errorf(content.ErrRefused, "is not a regular file"))
	case st.Size > max:
		err = tooLarge(path, st.Size, max)
	default:
		return fd, st.Size, nil
	}
	_ = unix.Close(fd) // never read
	return -1, 0, err
}

// readSmall reads a file that is smaller than buf. A read that gives no more than
// the size it was opened with, with room for more, was to the end.
func readSmall(fd int, path string, buf []byte, size int64) (n int, err error) {
	for n < len(buf) {
		more, err := unix.Read(fd, buf[n:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, &fs.PathError{Op: "read", Path: path, Err: err}
		case more == 0:
			return n, nil
		default:
			n += more
		}
		if int64(n) == size {
			return n, nil
		}
	}
	return n, content.At(path, content.Errorf(content.ErrCorrupt, "grew while it was read: %w", io.ErrShortBuffer))
}
