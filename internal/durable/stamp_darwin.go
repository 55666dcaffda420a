package durable

import (
	"os"
	"syscall"
)

// StampOf returns the stamp of the file that fi describes. Without a device and
// inode, as for a file in an archive, they and CtimeNs stay 0.
func StampOf(fi os.FileInfo) Stamp {
	s := Stamp{Size: fi.Size(), MtimeNs: fi.ModTime().UnixNano()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.Dev, s.Ino, s.CtimeNs = uint64(st.Dev), st.Ino, st.Ctimespec.Nano()
	}
	return s
}

// Shared reports whether a file has other names than the one it was found under, as
// far as is known.
func Shared(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 1
}
