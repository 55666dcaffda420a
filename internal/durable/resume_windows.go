package durable

import (
	"os"

	"golang.org/x/sys/windows"
)

const haveModes = false

// openStaged opens a file for reading and writing. It follows no link.
func openStaged(path string) (f *os.File, err error) {
	err = whileShared(func() (err error) {
		f, err = openShared(path, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT)
		return err
	})
	return f, err
}

// linksOf is how many names a file has.
func linksOf(f *os.File) (uint64, error) {
	var info windows.ByHandleFileInformation
	err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info)
	return uint64(info.NumberOfLinks), err
}
