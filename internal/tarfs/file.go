package tarfs

import (
	"archive/tar"
	"io"
	"io/fs"
	"path"
	"time"
)

// Open opens the file or directory name, links followed within the archive. A
// regular file is an io.ReaderAt and io.Seeker, too, and closing it does nothing.
// The error is a *fs.PathError around content.ErrNotFound, which is
// fs.ErrNotExist as well, or around content.ErrRefused for a link that leads
// outside or in circles, or for a device, fifo or the like.
func (f *FS) Open(name string) (fs.File, error) {
	if !validPath(name) {
		return nil, fail("open", name, errInvalidPath)
	}
	m, err := f.resolve(name)
	if err != nil {
		return nil, fail("open", name, err)
	}
	info := fileInfo{path.Base(name), m}
	if m.Type == tar.TypeDir {
		return &dir{info: info, name: name, entries: f.entries(m.Name)}, nil
	}
	if m, err = f.regular(m.Name); err != nil {
		return nil, fail("open", name, err)
	}
	return &file{f.SectionOf(m), info}, nil
}

// Stat describes what name means, links followed. Errors are those of Open, but
// devices and the like can be described.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	if !validPath(name) {
		return nil, fail("stat", name, errInvalidPath)
	}
	m, err := f.resolve(name)
	if err != nil {
		return nil, fail("stat", name, err)
	}
	return fileInfo{path.Base(name), m}, nil
}

// Lstat describes name itself, a symbolic link included.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	m, err := f.lookup("lstat", name)
	if err != nil {
		return nil, err
	}
	if m.Type == tar.TypeLink {
		return f.Stat(name)
	}
	return fileInfo{path.Base(name), m}, nil
}

// ReadLink returns the target of the symbolic link name, as the archive has it.
func (f *FS) ReadLink(name string) (string, error) {
	m, err := f.lookup("readlink", name)
	if err != nil {
		return "", err
	}
	if m.Type != tar.TypeSymlink {
		return "", fail("readlink", name, errInvalidPath)
	}
	return m.Linkname, nil
}

// lookup returns the member at name; links are followed in its parents only.
func (f *FS) lookup(op, name string) (Member, error) {
	if !validPath(name) {
		return Member{}, fail(op, name, errInvalidPath)
	}
	if m, ok := f.at(name); ok {
		return m, nil
	}
	parent, err := f.resolve(path.Dir(name))
	if err != nil {
		return Member{}, fail(op, name, err)
	}
	m, ok := f.at(path.Join(parent.Name, path.Base(name)))
	if !ok {
		return Member{}, fail(op, name, errNotExist)
	}
	return m, nil
}

// ReadDir lists the directory name, sorted.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !validPath(name) {
		return nil, fail("readdir", name, errInvalidPath)
	}
	m, err := f.resolve(name)
	if err != nil {
		return nil, fail("readdir", name, err)
	}
	if m.Type != tar.TypeDir {
		return nil, fail("readdir", name, errInvalidPath)
	}
	return f.entries(m.Name), nil
}

// entries lists the directory of that very name.
func (f *FS) entries(name string) []fs.DirEntry {
	names := f.tree()[name]
	list := make([]fs.DirEntry, 0, len(names))
	for _, base := range names {
		m, ok := f.at(path.Join(name, base))
		if !ok {
			continue
		}
		if m.Type == tar.TypeLink {
			if to, err := f.resolve(m.Name); err == nil {
				m = to
			}
		}
		list = append(list, fs.FileInfoToDirEntry(fileInfo{base, m}))
	}
	return list
}

// fileInfo describes a member under the name that it was asked for by.
type fileInfo struct {
	name string
	m    Member
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.m.Size }
func (i fileInfo) Mode() fs.FileMode  { return i.m.Mode }
func (i fileInfo) ModTime() time.Time { return i.m.ModTime }
func (i fileInfo) IsDir() bool        { return i.m.Mode.IsDir() }

// Sys returns the Member.
func (i fileInfo) Sys() any { return i.m }

// file is an open regular file.
type file struct {
	*io.SectionReader
	info fileInfo
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// dir is an open directory.
type dir struct {
	info    fileInfo
	name    string
	entries []fs.DirEntry // not yet returned
}

func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Close() error               { return nil }

func (d *dir) Read([]byte) (int, error) { return 0, fail("read", d.name, errInvalidPath) }

// ReadDir implements fs.ReadDirFile.
func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(d.entries) {
		if n > 0 && len(d.entries) == 0 {
			return nil, io.EOF
		}
		n = len(d.entries)
	}
	part := d.entries[:n:n]
	d.entries = d.entries[n:]
	return part, nil
}
