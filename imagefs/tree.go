package imagefs

import (
	"archive/tar"
	"iter"
	"maps"
	"path"
	"slices"
)

// A File is one path of the merged filesystem.
type File struct {
	// Path is relative and clean; "." is the root.
	Path string
	// Link is the path of an earlier file that this one is a hard link to, or "".
	Link string
	// Body is the number of the file's bytes in [Tree.Bodies]; -1 where there are
	// none: all that is not a regular file, empty files and hard links.
	Body int

	inode *inode
}

// Size is the number of bytes that the file has of its own.
func (f File) Size() int64 {
	if f.Body < 0 {
		return 0
	}
	return f.inode.size
}

// Header is the file as a tar member. Extended attributes are among its PAX
// records; user and group have their numbers only.
func (f File) Header() *tar.Header {
	i := f.inode
	h := &tar.Header{
		Typeflag: i.kind, Name: f.Path, Mode: int64(i.mode), Uid: i.uid, Gid: i.gid, ModTime: i.mtime,
		Size: f.Size(), Linkname: i.linkname, Devmajor: i.major, Devminor: i.minor, PAXRecords: maps.Clone(i.pax),
	}
	switch {
	case f.Link != "":
		h.Typeflag, h.Linkname, h.PAXRecords = tar.TypeLink, f.Link, nil
	case i.isDir():
		h.Name += "/"
	}
	return h
}

// Files yields every file in order: a directory before what is in it, siblings
// by their names, the first path of a file before the hard links to it. The root
// comes first if a layer lists it.
func (t *Tree) Files() iter.Seq[File] {
	return func(yield func(File) bool) {
		if t.root.member >= 0 && !yield(File{Path: ".", Body: -1, inode: t.root.inode}) {
			return
		}
		t.root.files("", yield)
	}
}

// Len is how many files have bytes: the numbers of bodies are below it.
func (t *Tree) Len() int { return t.bodies }

func (n *node) files(dir string, yield func(File) bool) bool {
	for _, name := range n.names() {
		child := n.children[name]
		f := File{Path: path.Join(dir, name), Body: int(child.body), inode: child.inode}
		if child.path != "" && child.path != f.Path {
			f.Link, f.Body = child.path, -1
		}
		if !yield(f) || child.isDir() && !child.files(f.Path, yield) {
			return false
		}
	}
	return true
}

func (n *node) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// finish numbers the bodies in the order of Files and finds out which members of
// the layers hold them, and which paths are links.
func (t *Tree) finish() {
	t.root.body = -1
	t.root.count()
	t.root.number("", t)
	for _, list := range t.wanted {
		slices.SortFunc(list, func(a, b want) int { return int(a.member - b.member) })
	}
}

// count tells every inode how many names it has.
func (n *node) count() {
	for _, child := range n.children {
		child.links++
		child.body = -1
		child.count()
	}
}

func (n *node) number(dir string, t *Tree) {
	for _, name := range n.names() {
		child := n.children[name]
		if child.isDir() {
			child.number(path.Join(dir, name), t)
			continue
		}
		if child.links > 1 {
			if child.path != "" {
				continue // numbered under its first name
			}
			child.path = path.Join(dir, name)
		}
		if child.kind == tar.TypeReg && child.size > 0 {
			child.body = int32(t.bodies)
			t.wanted[child.layer] = append(t.wanted[child.layer], want{child.member, child.body})
			t.bodies++
		}
	}
}
