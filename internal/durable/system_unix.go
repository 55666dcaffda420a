//go:build unix

package durable

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const haveDirSync = true

// cannotSyncDir tells a filesystem without fsync of directories (CIFS, some FUSE)
// from one that failed.
func cannotSyncDir(err error) bool {
	return isAny(err, unix.EINVAL, unix.ENOSYS, unix.ENOTSUP, unix.EOPNOTSUPP)
}

// linkImpossible tells a filesystem without hard links, or with too many of them,
// from one that failed. EPERM is also what fs.protected_hardlinks says.
func linkImpossible(err error) bool {
	return isAny(err, unix.EPERM, unix.ENOSYS, unix.ENOTSUP, unix.EOPNOTSUPP, unix.EMLINK, unix.EXDEV)
}

func rename(from, to string) error { return os.Rename(from, to) }

func remove(path string) error { return os.Remove(path) }

func openForSync(path string) (*os.File, error) {
	f, _, err := OpenRegularNoFollow(path)
	return f, err
}

// SameOwner reports whether the file belongs to the effective user of this
// process. A file whose owner is not known, such as one in an archive, does not.
func SameOwner(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int64(st.Uid) == int64(os.Geteuid())
}
