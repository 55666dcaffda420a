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

// An inode is a file apart from its names. It belongs to the tree that the last
// merge of its layer makes.
type inode struct {
	attributes
	layer  int32
	member int32  // its place in the layer; -1 for a directory that no layer lists
	links  int32  // how many nodes share it
	body   int32  // number of its bytes among all bodies; -1 for none
	path   string // of the first node, where there are several
}

func (n *inode) isDir() bool { return n.kind == tar.TypeDir }

// merger lays layers on each other.
type merger struct {
	root  *node
	room  *room
	steps int
	n     int32 // the layer at hand
	list  []member
	dirs  map[string]bool // directories that the layer lists; nil until asked for
	upper *upper          // if there are layers below that are not read
	// cleared, if set, keeps the directories that the layers from clearsFrom on made
	// opaque.
	cleared    map[*node]bool
	clearsFrom int32
}

func newMerger(room *room) *merger {
	m := &merger{room: room}
	m.root = impliedDir(nil, 0)
	return m
}

// layer applies one layer: first all its whiteouts, which hide only what lower
// layers hold, wherever in the tar they stand; then its files.
func (m *merger) layer(n int32, members []member) error {
	m.n, m.list, m.dirs = n, members, nil
	for i := range members {
		f := &members[i]
		if target, opaque, ok := f.isMark(); ok && target != "" {
			if err := m.hide(target, opaque); err != nil {
				return content.At(f.name, err)
			}
		}
	}
	for i := range members {
		f := &members[i]
		if _, _, ok := f.isMark(); ok {
			continue
		}
		f.layer = n
		if err := m.add(f); err != nil {
			return content.At(f.name, err)
		}
	}
	m.clearsNew()
	return nil
}

// hide removes what a whiteout names, or what is in the directory that an opaque
// one stands in.
func (m *merger) hide(target string, opaque bool) error {
	m.upper.turns(m.n, -1)
	dir, name := path.Split(target)
	how := below
	if m.upper != nil {
		how = marking
	}
	parent, err := m.walk(dir, how)
	switch {
	case err != nil || parent == nil:
		return err
	case !opaque:
		delete(parent.children, name)
		m.upper.hides(m, parent, target)
		return nil
	case name == ".":
		clear(m.root.children)
		m.clears(m.root)
		m.upper.clears(m, m.root, target)
		return nil
	}
	n := parent.children[name]
	if n == nil && how == marking {
		if n, err = m.implied(parent, name, how); err != nil {
			return err
		}
	}
	// A link there is not followed: the directory that is opaque replaces it.
	if n != nil && n.isDir() {
		clear(n.children)
		m.clears(n)
		m.upper.clears(m, n, target)
	}
	return nil
}

func (m *merger) clears(n *node) {
	if m.cleared != nil && m.n >= m.clearsFrom {
		m.cleared[n] = true
	}
}

// clearsNew is clears for the directories that the layer at hand made: nothing was
// there to be hidden when its whiteouts were looked at.
func (m *merger) clearsNew() {
	if m.cleared == nil || m.n < m.clearsFrom {
		return
	}
	for i := range m.list {
		if target, opaque, ok := m.list[i].isMark(); ok && opaque {
			if n := m.root.at(target); n != nil && n.isDir() {
				m.cleared[n] = true
			}
		}
	}
}

// add puts one member of the layer into the tree.
func (m *merger) add(f *member) error {
	if f.name == "" {
		if f.kind != tar.TypeDir {
			return content.Errorf(content.ErrCorrupt, "the root is not a directory")
		}
		m.root.inode = &f.inode
		return nil
	}
	if f.kind == tar.TypeSymlink {
		m.upper.turns(m.n, f.member)
	}
	dir, name := path.Split(f.name)
	parent, err := m.walk(dir, making)
	if err != nil {
		return err
	}
	m.upper.adds(f.name)
	here := parent.children[name]
	if f.kind == tar.TypeLink {
		return m.link(parent, name, f)
	}
	i := &f.inode
	if here != nil && here.isDir() && i.isDir() {
		here.inode = i
		m.upper.lists(here)
		return nil
	}
	m.put(parent, name, i)
	return nil
}

// link makes a further name of a file that is in the tree already.
func (m *merger) link(parent *node, name string, f *member) error {
	clean, err := tarx.MemberName(f.linkname)
	if err != nil {
		return err
	}
	sure := m.upper.isSure()
	dir, base := path.Split(clean)
	there, err := m.walk(dir, looking)
	if err != nil {
		return err
	}
	m.upper.setSure(sure)
	var file *node
	if there != nil {
		file = there.children[base]
	}
	switch {
	case m.upper != nil && (file == nil || file.isDir()):
		m.put(parent, name, &f.inode)
	case file == nil:
		return content.Errorf(content.ErrCorrupt, "hard link to %q, which is not there", f.linkname)
	case file.isDir():
		return content.Errorf(content.ErrCorrupt, "hard link to the directory %q", f.linkname)
	case file != parent.children[name]:
		m.put(parent, name, file.inode)
	}
	return nil
}

func (m *merger) put(parent *node, name string, i *inode) {
	n := &node{inode: i, parent: parent}
	if i.isDir() {
		n.children = map[string]*node{}
	}
	m.upper.places(n, name, making)
	parent.children[strings.Clone(name)] = n // not a piece of a long path
}

// implied makes a directory that no layer lists, as a tar extractor would.
func (m *merger) implied(parent *node, name string, how way) (*node, error) {
	if err := m.room.take(memberCost + len(name)); err != nil {
		return nil, err
	}
	n := impliedDir(parent, m.n)
	m.upper.places(n, name, how)
	parent.children[strings.Clone(name)] = n
	return n, nil
}

func impliedDir(parent *node, layer int32) *node {
	i := &inode{attributes: attributes{kind: tar.TypeDir, mode: 0o755, mtime: time.Unix(0, 0)}, layer: layer, member: -1}
	return &node{inode: i, parent: parent, children: map[string]*node{}}
}
