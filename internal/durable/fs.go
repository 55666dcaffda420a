package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS makes changes to files durable. The zero value is ready for use, and an FS
// may be copied and used from many goroutines.
type FS struct {
	// NoSync makes every fsync do nothing. Files still appear whole and
	// atomically, but a power cut may lose or empty what was written last.
	NoSync bool

	ops *ops // nil means the operating system's
}

// ops are the calls that a failing disk makes fail. Tests replace them.
type ops struct {
	sync   func(*os.File) error
	syncFS func(*os.File) error
	rename func(from, to string) error
	link   func(from, to string) error
	// linkOpen gives an open file without a name the name to.
	linkOpen func(f *os.File, to string) error
}

var systemOps = ops{
	sync:   (*os.File).Sync,
	syncFS: syncFS,
	rename: rename,
	link:   os.Link,

	linkOpen: linkOpen,
}

func (d FS) sys() *ops {
	if d.ops != nil {
		return d.ops
	}
	return &systemOps
}

// MkdirAll makes the directory path and its absent parents, with mode 0755 less
// the umask. Each directory that it makes is fsynced into its parent, so that
// path is durable when it returns. A path that is a directory is left as it is.
func (d FS) MkdirAll(path string) error {
	path = filepath.Clean(path)
	fi, err := os.Stat(path)
	switch {
	case err == nil && fi.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := d.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		// Another process may have been faster. It may also not have come to its
		// fsync, so ours follows all the same.
		if fi, serr := os.Stat(path); serr != nil || !fi.IsDir() {
			return err
		}
	}
	return d.SyncDir(parent)
}

// isAny reports whether err is one of the given error numbers.
func isAny(err error, of ...syscall.Errno) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
