//go:build unix

package durable

import (
	"errors"
	"os"

	"github.com/ocilayout/ocilayout/content"
	"golang.org/x/sys/unix"
)

// openNonblock opens path for reading without waiting for anyone, and returns it
// in blocking mode.
func openNonblock(path string, follow bool) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NONBLOCK
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, refuseLink(path, err, follow)
	}
	if err := clearNonblock(f); err != nil {
		return nil, errors.Join(content.At(path, err), f.Close())
	}
	return f, nil
}

// refuseLink makes a refusal of the error that O_NOFOLLOW gives at a link.
func refuseLink(path string, err error, follow bool) error {
	if !follow && errors.Is(err, unix.ELOOP) {
		return content.At(path, content.Errorf(content.ErrRefused,
			"is a symbolic link, which is not followed here"))
	}
	return err
}

func clearNonblock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := raw.Control(func(fd uintptr) {
		serr = unix.SetNonblock(int(fd), false)
	}); err != nil {
		return err
	}
	return serr
}
