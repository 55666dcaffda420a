package imagefs

import (
	"archive/tar"
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

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
		f := child.file(join(dir, name))
		if !yield(f) || child.isDir() && !child.files(f.Path, yield) {
			return false
		}
	}
	return true
}

// join is path.Join for what is clean already.
func join(dir, name string) string {
	if dir == "" || dir == "." {
		return name
	}
	return dir + "/" + name
}

func (n *node) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// finish numbers the bodies in the order of Files and finds out which members of
// the layers hold them, and which paths are links.
func (t *Tree) finish() error {
	t.root.body = -1
	if err := t.root.count(0); err != nil {
		return err
	}
	t.root.number("", t)
	for _, list := range t.wanted {
		slices.SortFunc(list, func(a, b want) int { return cmp.Compare(a.member, b.member) })
	}
	return nil
}

// count tells every inode how many names it has. A path beyond what any system
// takes, to which links can lead, is refused.
func (n *node) count(length int) error {
	for name, child := range n.children {
		child.links++
		child.body = -1
		if length+len(name) > maxPath {
			return content.Errorf(content.ErrRefused, "the image has a path of more than %d bytes", maxPath)
		}
		if err := child.count(length + len(name) + 1); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) number(dir string, t *Tree) {
	for _, name := range n.names() {
		child := n.children[name]
		if child.isDir() {
			child.number(join(dir, name), t)
			continue
		}
		if child.links > 1 {
			if child.path != "" {
				continue // numbered under its first name
			}
			child.path = join(dir, name)
		}
		if child.kind == tar.TypeReg && child.size > 0 {
			child.body = int32(t.bodies)
			t.wanted[child.layer] = append(t.wanted[child.layer], want{child.member, child.body})
			t.bodies++
		}
	}
}
