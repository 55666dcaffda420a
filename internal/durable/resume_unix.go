//go:build unix

package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
)

// haveModes says that a file's mode keeps others out.
const haveModes = true

// openStaged opens a file for reading and writing. It follows no link and waits for
// nobody.
func openStaged(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, refuseLink(path, err, false)
	}
	if err := clearNonblock(f); err != nil {
		return nil, errors.Join(content.At(path, err), f.Close())
	}
	return f, nil
}

// linksOf is how many names a file has.
func linksOf(f *os.File) (uint64, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstat(int(f.Fd()), &st)
		if err != unix.EINTR {
			return uint64(st.Nlink), err
		}
	}
}
