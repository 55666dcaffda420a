package durable

import (
	"os"
	"syscall"
)

// StampOf returns the stamp of the file that fi describes; see Stamp for what
// Windows does not tell.
func StampOf(fi os.FileInfo) Stamp {
	s := Stamp{Size: fi.Size(), MtimeNs: fi.ModTime().UnixNano()}
	if st, ok := fi.Sys().(*syscall.Win32FileAttributeData); ok {
		s.CtimeNs = st.CreationTime.Nanoseconds()
	}
	return s
}

// Shared reports whether a file has other names than the one it was found under, as
// far as is known: here it never is.
func Shared(os.FileInfo) bool { return false }
