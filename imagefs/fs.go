package imagefs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// An FS is the merged filesystem of an image as the standard library takes one.
// Links are followed inside the image by Open, Stat, ReadDir and ReadFile.
//
// Each file that is read costs a pass over its layer, to the layer's end, which
// proves the bytes: the last Read returns io.EOF only then. To read many files use
// [Tree.Bodies].
type FS struct {
	ctx   context.Context
	fetch content.Fetcher
	tree  *Tree
}

var (
	_ fs.StatFS     = (*FS)(nil)
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.ReadLinkFS = (*FS)(nil)
)

// FS returns the tree as an io/fs.FS that reads its layers from f. It fails once
// ctx is done.
func (t *Tree) FS(ctx context.Context, f content.Fetcher) *FS {
	return &FS{ctx: ctx, fetch: f, tree: t}
}

// Open opens a file or directory for reading. Devices and the like open as empty
// files.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return &openDir{info: info{base(name), n}, names: n.names()}, nil
	}
	return &openFile{info: info{base(name), n}, fs: f, name: name}, nil
}

// Stat describes what name leads to.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name, true) }

// Lstat describes name, which may be a link.
func (f *FS) Lstat(name string) (fs.FileInfo, error) { return f.stat("lstat", name, false) }

func (f *FS) stat(op, name string, follow bool) (fs.FileInfo, error) {
	n, err := f.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	return info{base(name), n}, nil
}

// ReadLink returns the target of a symbolic link as it is: it may be absolute,
// which means from the image's root, and lead to nothing.
func (f *FS) ReadLink(name string) (string, error) {
	n, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if n.fileMode().Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.linkname, nil
}

// ReadDir lists a directory by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoDirectory}
	}
	d := openDir{info: info{base(name), n}, names: n.names()}
	return d.ReadDir(-1)
}

var errNoDirectory = errors.New("not a directory")

func base(name string) string { return path.Base(name) }

func (f *FS) find(op, name string, follow bool) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n, _, err := f.tree.find(name, follow)
	if errors.Is(err, content.ErrNotFound) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return n, nil
}

// info is a node by a name.
type info struct {
	name string
	n    *node
}

func (i info) Name() string               { return i.name }
func (i info) Size() int64                { return i.n.size }
func (i info) Mode() fs.FileMode          { return i.n.fileMode() }
func (i info) Type() fs.FileMode          { return i.Mode().Type() }
func (i info) ModTime() time.Time         { return i.n.mtime }
func (i info) IsDir() bool                { return i.n.isDir() }
func (i info) Info() (fs.FileInfo, error) { return i, nil }
func (i info) String() string             { return fs.FormatFileInfo(i) }

// Sys returns a *tar.Header, with the last part of the name.
func (i info) Sys() any {
	return File{Path: i.name, Body: int(i.n.body), inode: i.n.inode}.Header()
}

// openDir lists a directory piece by piece.
type openDir struct {
	info
	names []string
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	count := len(d.names)
	if n > 0 {
		if count == 0 {
			return nil, io.EOF
		}
		count = min(n, count)
	}
	list := make([]fs.DirEntry, count)
	for i, name := range d.names[:count] {
		list[i] = info{name, d.n.children[name]}
	}
	d.names = d.names[count:]
	return list, nil
}

// openFile opens its layer at the first Read.
type openFile struct {
	info
	fs   *FS
	name string
	body io.ReadCloser
	err  error
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.info, nil }

func (o *openFile) Read(p []byte) (int, error) {
	switch {
	case o.err != nil:
		return 0, o.err
	case o.n.size == 0:
		return 0, io.EOF
	case o.body == nil:
		t := o.fs.tree
		var err error
		if o.body, err = openBody(o.fs.ctx, o.fs.fetch, t.layers[o.n.layer], o.n.member, t.limits); err != nil {
			return o.fail(0, err)
		}
	}
	n, err := o.body.Read(p)
	if err != nil && err != io.EOF {
		return o.fail(n, err)
	}
	return n, err
}

func (o *openFile) fail(n int, err error) (int, error) {
	o.err = &fs.PathError{Op: "read", Path: o.name, Err: err}
	return n, o.err
}

func (o *openFile) Close() error {
	if o.err == fs.ErrClosed {
		return o.err
	}
	o.err = fs.ErrClosed
	if o.body == nil {
		return nil
	}
	return o.body.Close()
}
