//go:build unix

package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// A Dir reads small files of one directory, for those who read very many of them
// and ask elsewhere where it fails.
type Dir struct {
	f  *os.File
	fd int
}

// OpenDir opens a directory that is no link. The caller closes it.
func OpenDir(path string) (*Dir, error) {
	f, err := os.OpenFile(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{f, int(f.Fd())}, nil
}

// Close releases the directory.
func (d *Dir) Close() error { return d.f.Close() }

// ReadInto reads the file called name into a buffer that is larger than it and
// returns its size. It says false for what is no regular file, a link included,
// which is not opened, for a file that is as large as the buffer or changes, and
// where anything else fails.
func (d *Dir) ReadInto(name string, buf []byte) (n int, ok bool) {
	var st unix.Stat_t
	if unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil ||
		st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size >= int64(len(buf)) {
		return 0, false
	}
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	for err == unix.EINTR {
		fd, err = unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return 0, false
	}
	defer func() { _ = unix.Close(fd) }() // only read
	for n < len(buf) {
		more, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		n += max(more, 0)
		if err != nil || more <= 0 || int64(n) >= st.Size {
			break // a read with room for more that gives all there was is the last one
		}
	}
	return n, int64(n) == st.Size
}
