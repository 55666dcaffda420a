package mutate

import (
	"archive/tar"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// noTime is the time of what has none.
var noTime = time.Unix(0, 0)

// writeDir writes the file at name and all below it, by the order of their names. No
// link is followed, and none leads out of root.
func writeDir(ctx context.Context, w *tarx.Writer, root *os.Root, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if err := writeFile(w, root, name, info); err != nil || !info.IsDir() {
		return err
	}
	names, err := names(root, name)
	if err != nil {
		return err
	}
	for _, child := range names {
		if err := writeDir(ctx, w, root, path.Join(name, child)); err != nil {
			return err
		}
	}
	return nil
}

// names lists a directory.
func names(root *os.Root, dir string) ([]string, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // was only read
	list, err := f.Readdirnames(-1)
	slices.SortFunc(list, strings.Compare)
	return list, err
}

func writeFile(w *tarx.Writer, root *os.Root, name string, info fs.FileInfo) error {
	var target string
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = root.Readlink(name); err != nil {
			return err
		}
		target = filepath.ToSlash(target)
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return content.At(name, content.Errorf(content.ErrUnsupported, "%v", err))
	}
	h.Name = name
	h.ModTime = info.ModTime().Truncate(time.Second)
	if err := w.RawHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // was only read
	n, err := io.Copy(w, io.LimitReader(f, h.Size))
	if err == nil && n != h.Size {
		err = content.At(name, content.Errorf(content.ErrConflict, "has changed while it was read"))
	}
	return err
}
