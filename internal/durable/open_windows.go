package durable

import (
	"os"

	"golang.org/x/sys/windows"
)

func openNonblock(path string, follow bool) (f *os.File, err error) {
	var flags uint32
	if !follow {
		flags = windows.FILE_FLAG_OPEN_REPARSE_POINT
	}
	err = whileShared(func() (err error) {
		f, err = openShared(path, windows.GENERIC_READ, windows.OPEN_EXISTING, flags)
		return err
	})
	return f, err
}
