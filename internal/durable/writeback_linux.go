package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback has the kernel begin to write f to the disk, and does not wait for
// it. It is only advice: the next fsync tells what could not be written.
func startWriteback(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}
