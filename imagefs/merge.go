package imagefs

import (
	"archive/tar"
	"path"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// A node is one path of the tree. Hard links are nodes that share an inode.
type node struct {
	*inode
	parent   *node
	children map[string]*node // of a directory
}

// An inode is a file apart from its names.
type inode struct {
	attributes
	layer  int32
	member int32  // its place in the layer; -1 for a directory that no layer lists
	links  int32  // how many nodes share it
	body   int32  // number of its bytes among all bodies; -1 for none
	path   string // of the first node, where there are several
}

func (n *inode) isDir() bool { return n.kind == tar.TypeDir }

// maxLinks is how many symbolic links one path may lead through, and maxPath how
// long it may become by them.
const (
	maxLinks = 255
	maxPath  = 64 << 10
)

// merger lays layers on each other.
type merger struct {
	root *node
	n    int32 // the layer at hand
	list []member
	dirs map[string]bool // directories that the layer lists; nil until asked for
}

func newMerger() *merger {
	m := &merger{}
	m.root = m.implied(nil)
	return m
}

// layer applies one layer: first all its whiteouts, which hide only what lower
// layers hold, wherever in the tar they stand; then its files.
func (m *merger) layer(n int32, members []member) error {
	m.n, m.list, m.dirs = n, members, nil
	for _, f := range members {
		if target, opaque, ok := tarx.Whiteout(f.name); ok {
			if err := m.hide(target, opaque); err != nil {
				return content.At(f.name, err)
			}
		}
	}
	for i, f := range members {
		if _, _, ok := tarx.Whiteout(f.name); ok || tarx.WhiteoutMeta(f.name) {
			continue
		}
		if err := m.add(f, int32(i)); err != nil {
			return content.At(f.name, err)
		}
	}
	return nil
}

// hide removes what a whiteout names, or what is in the directory that an opaque
// one stands in.
func (m *merger) hide(target string, opaque bool) error {
	dir, name := path.Split(target)
	parent, err := m.walk(dir, below)
	switch {
	case err != nil || parent == nil:
		return err
	case !opaque:
		delete(parent.children, name)
		return nil
	case name == ".":
		clear(m.root.children)
		return nil
	}
	// A link there is not followed: the directory that is opaque replaces it.
	if n := parent.children[name]; n != nil && n.isDir() {
		clear(n.children)
	}
	return nil
}

// add puts one member of the layer into the tree.
func (m *merger) add(f member, place int32) error {
	if f.name == "" {
		if f.kind != tar.TypeDir {
			return content.Errorf(content.ErrCorrupt, "the root is not a directory")
		}
		m.root.inode = &inode{attributes: f.attributes, layer: m.n, member: place}
		return nil
	}
	dir, name := path.Split(f.name)
	parent, err := m.walk(dir, making)
	if err != nil {
		return err
	}
	here := parent.children[name]
	if f.kind == tar.TypeLink {
		return m.link(parent, name, f.linkname)
	}
	i := &inode{attributes: f.attributes, layer: m.n, member: place}
	if here != nil && here.isDir() && i.isDir() {
		here.inode = i
		return nil
	}
	m.put(parent, name, i)
	return nil
}

// link makes a further name of a file that is in the tree already.
func (m *merger) link(parent *node, name, target string) error {
	clean, err := cleanName(target)
	if err != nil {
		return err
	}
	dir, base := path.Split(clean)
	there, err := m.walk(dir, looking)
	if err != nil {
		return err
	}
	var file *node
	if there != nil {
		file = there.children[base]
	}
	switch {
	case file == nil:
		return content.Errorf(content.ErrCorrupt, "hard link to %q, which is not there", target)
	case file.isDir():
		return content.Errorf(content.ErrCorrupt, "hard link to the directory %q", target)
	case file == parent.children[name]:
		return nil
	}
	m.put(parent, name, file.inode)
	return nil
}

func (m *merger) put(parent *node, name string, i *inode) *node {
	n := &node{inode: i, parent: parent}
	if i.isDir() {
		n.children = map[string]*node{}
	}
	parent.children[strings.Clone(name)] = n // not a piece of a long path
	return n
}

// implied is a directory that no layer lists, as a tar extractor would make it.
func (m *merger) implied(parent *node) *node {
	i := &inode{attributes: attributes{kind: tar.TypeDir, mode: 0o755, mtime: time.Unix(0, 0)}, layer: m.n, member: -1}
	return &node{inode: i, parent: parent, children: map[string]*node{}}
}

// A way says what a walk does about directories that are not there.
type way uint8

const (
	looking way = iota // finds nil
	below              // as looking, in what lower layers hold and the layer at hand leaves
	making             // makes them
)

// walk finds the directory at path as a kernel would whose root is the image's:
// symbolic links are followed and never lead out.
func (m *merger) walk(path string, how way) (*node, error) {
	rest := path
	at, links := m.root, 0
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if at.parent != nil {
				at = at.parent
			}
			continue
		}
		next := at.children[name]
		switch {
		case next != nil && next.isDir():
		case next != nil && next.kind == tar.TypeSymlink:
			if how == below && links == 0 && m.lists(path[:len(path)-len(rest)]) {
				return nil, nil // a directory takes the link's place
			}
			if links++; links > maxLinks || len(next.linkname)+len(rest) > maxPath {
				return nil, content.Errorf(content.ErrCorrupt, "too many symbolic links in the path")
			}
			if strings.HasPrefix(next.linkname, "/") {
				at = m.root
			}
			rest = next.linkname + "/" + rest
			continue
		case how != making:
			return nil, nil
		default:
			next = m.implied(at)
			at.children[strings.Clone(name)] = next
		}
		at = next
	}
	return at, nil
}

// lists says whether the layer at hand has a directory of this path.
func (m *merger) lists(path string) bool {
	if m.dirs == nil {
		m.dirs = map[string]bool{}
		for _, f := range m.list {
			if f.kind == tar.TypeDir {
				m.dirs[f.name] = true
			}
		}
	}
	return m.dirs[strings.Trim(path, "/")]
}
