package durable

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// haveSyncFS reports whether syncfs returns errors, which it does since 5.8.
var haveSyncFS = sync.OnceValue(func() bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	return atLeast(unix.ByteSliceToString(u.Release[:]), 5, 8)
})

// atLeast reports whether release, such as "6.1.0-13-amd64", is of the given
// version or newer.
func atLeast(release string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(release, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// tellsSyncErrors reports whether dir lies on a filesystem whose syncfs is as good
// as an fsync of every file. Stacked and remote ones (overlay, FUSE, NFS, SMB, 9p)
// keep errors to the layer below, or do not pass the sync on.
func tellsSyncErrors(dir *os.File) bool {
	var st unix.Statfs_t
	for {
		err := unix.Fstatfs(int(dir.Fd()), &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		break
	}
	const (
		zfs      = 0x2fc12fc1
		bcachefs = 0xca451a4e
	)
	switch uint32(st.Type) { // int32 on some architectures
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC,
		unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC, zfs, bcachefs:
		return true
	}
	return false
}

func syncFS(dir *os.File) error {
	for {
		if err := unix.Syncfs(int(dir.Fd())); err != unix.EINTR {
			return err
		}
	}
}
