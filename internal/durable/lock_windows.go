package durable

import (
	"os"

	"golang.org/x/sys/windows"
)

func openLock(path string) (f *os.File, err error) {
	err = whileShared(func() (err error) {
		f, err = openShared(path, windows.GENERIC_READ|windows.GENERIC_WRITE,
			windows.OPEN_ALWAYS, windows.FILE_FLAG_OPEN_REPARSE_POINT)
		return err
	})
	return f, err
}

// lockFile locks the first byte, as other users of such files do.
func lockFile(f *os.File, shared bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if !shared {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}

func unlockFile(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, new(windows.Overlapped))
}

func lockHeld(err error) bool {
	return isAny(err, windows.ERROR_LOCK_VIOLATION, windows.ERROR_IO_PENDING)
}

func lockImpossible(err error) bool {
	return isAny(err, windows.ERROR_INVALID_FUNCTION, windows.ERROR_NOT_SUPPORTED)
}
