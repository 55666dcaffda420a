package durable

import (
	"errors"
	"os"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"golang.org/x/sys/windows"
)

const haveDirSync = false

func cannotSyncDir(error) bool { return true }

func linkImpossible(err error) bool {
	return isAny(err, windows.ERROR_INVALID_FUNCTION, windows.ERROR_NOT_SUPPORTED,
		windows.ERROR_NOT_SAME_DEVICE, windows.ERROR_TOO_MANY_LINKS)
}

// whileShared calls fn again, for a third of a second at most, while it fails
// since another process has the file open, or has it open and removed.
func whileShared(fn func() error) error {
	for pause := 5 * time.Millisecond; ; pause *= 2 {
		err := fn()
		if err == nil || pause > 160*time.Millisecond ||
			!isAny(err, windows.ERROR_SHARING_VIOLATION, windows.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(pause)
	}
}

func rename(from, to string) error {
	return whileShared(func() error { return os.Rename(from, to) })
}

func remove(path string) error {
	return whileShared(func() error { return os.Remove(path) })
}

// openForSync opens for writing too, which FlushFileBuffers wants.
func openForSync(path string) (*os.File, error) {
	f, err := openShared(path, windows.GENERIC_READ|windows.GENERIC_WRITE,
		windows.OPEN_EXISTING, windows.FILE_FLAG_OPEN_REPARSE_POINT)
	if err != nil {
		return nil, err
	}
	if _, err := regular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openShared opens path so that others may rename over it and remove it meanwhile.
func openShared(path string, access, create, flags uint32) (*os.File, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, content.At(path, content.Errorf(content.ErrInvalid, "not a file name: %w", err))
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	// BACKUP_SEMANTICS opens directories too, which are then refused by their name.
	h, err := windows.CreateFile(p, access, share, nil, create,
		flags|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// SameOwner reports true: ownership is not judged on Windows.
func SameOwner(os.FileInfo) bool { return true }
