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
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, content.At(path, content.Errorf(content.ErrRefused, "is not a regular file"))
	}
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, refuseLink(path, &fs.PathError{Op: "open", Path: path, Err: err}, false)
	}
	defer func() { _ = unix.Close(fd) }() // only read
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, content.At(path, content.Errorf(content.ErrRefused, "is not a regular file"))
	}
	if st.Size > max {
		return nil, tooLarge(path, st.Size, max)
	}
	data := make([]byte, st.Size+1) // one more shows that the file has grown
	n := 0
	for n < len(data) {
		var more int
		err := retry(func() (err error) {
			more, err = unix.Read(fd, data[n:])
			return err
		})
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if more == 0 {
			return data[:n], nil
		}
		n += more
	}
	return nil, content.At(path, content.Errorf(content.ErrCorrupt, "grew while it was read: %w", io.ErrShortBuffer))
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
