package durable

import (
	"io/fs"
	"os"

	"github.com/ocilayout/ocilayout/content"
)

// OpenRegular opens a regular file for reading, following links. A path that
// leads to anything else is refused (content.ErrRefused) without waiting for a
// writer, as opening a fifo would. The FileInfo is that of the open file. An
// absent file matches fs.ErrNotExist. The caller closes the file.
func OpenRegular(path string) (*os.File, os.FileInfo, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	return openRegular(path, fi, true)
}

// OpenRegularNoFollow is OpenRegular, but refuses a path whose last element is a
// link.
func OpenRegularNoFollow(path string) (*os.File, os.FileInfo, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, nil, err
	}
	return openRegular(path, fi, false)
}

// openRegular looks before it opens, since opening a device may do something, and
// again at what it has opened, since the path may have changed.
func openRegular(path string, fi os.FileInfo, follow bool) (*os.File, os.FileInfo, error) {
	if err := checkRegular(path, fi); err != nil {
		return nil, nil, err
	}
	f, err := openNonblock(path, follow)
	if err != nil {
		return nil, nil, err
	}
	fi, err = regular(f)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// regular returns f's FileInfo, or an error unless f is a regular file.
func regular(f *os.File) (os.FileInfo, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return fi, checkRegular(f.Name(), fi)
}

func checkRegular(path string, fi os.FileInfo) error {
	if fi.Mode().IsRegular() {
		return nil
	}
	return content.At(path, content.Errorf(content.ErrRefused,
		"is %s where a regular file is expected", kindOf(fi.Mode())))
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a fifo"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	default:
		return "an irregular file"
	}
}
