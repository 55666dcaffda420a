package imagefs

import (
	"path"
	"strings"
)

// An upper is what is known of layers that lie on others which were not read. A
// directory that they do not list may be a link down there, what is not in them
// may be there, and what they hold may have come to lie elsewhere.
//
// The methods of a nil *upper do nothing: of a whole image all is known.
type upper struct {
	marks map[*node]*mark
	loose []loose
	// turn is the place of the last symbolic link or whiteout: what it changes may
	// be on the way to files that were put where only the lower layers lead.
	turn int64
	sure bool // whether all directories of the walk at hand are sure
}

// A mark is what is known of a directory.
type mark struct {
	sure   bool // it is a directory, and lies where it seems to
	opaque bool // if it is one, nothing in it comes from below
	used   bool // something was put into it before it was sure
	doubt  bool // it was listed after that, and may not be where that was put
	gone   map[string]bool
}

// A loose member went through a directory that may be a link below.
type loose struct {
	path  string
	wider bool // it concerns all names in the directory at path
}

func newUpper(root *node) *upper {
	return &upper{marks: map[*node]*mark{root: {sure: true}}, turn: -1}
}

// place orders members of all layers; -1 are the whiteouts of a layer, which come
// before its files.
func place(layer, member int32) int64 { return int64(layer)<<32 + int64(member) + 1 }

func (u *upper) turns(layer, member int32) {
	if u != nil {
		u.turn = max(u.turn, place(layer, member))
	}
}

func (u *upper) begins() {
	if u != nil {
		u.sure = true
	}
}

func (u *upper) enters(n *node) {
	if u != nil && !u.marks[n].sure {
		u.sure = false
	}
}

func (u *upper) isSure() bool { return u != nil && u.sure }

func (u *upper) setSure(sure bool) {
	if u != nil {
		u.sure = sure
	}
}

// adds notes a member whose directory the walk has found.
func (u *upper) adds(name string) {
	if u != nil && !u.sure {
		u.loose = append(u.loose, loose{path: name})
	}
}

// places marks a node before it takes its name in its parent. Those that marking
// makes are there for their marks only.
func (u *upper) places(n *node, name string, how way) {
	if u == nil {
		return
	}
	p := u.marks[n.parent]
	if !p.sure && how == making {
		p.used = true
	}
	if n.isDir() {
		opaque := p.opaque || p.gone[name] || n.parent.children[name] != nil
		u.marks[n] = &mark{opaque: opaque, sure: u.sure && p.sure && (n.member >= 0 || opaque)}
	}
}

// lists marks a directory that was there and is listed now.
func (u *upper) lists(n *node) {
	if u == nil {
		return
	}
	switch m := u.marks[n]; {
	case m.sure:
	case m.used:
		m.doubt = true
	default:
		m.sure = u.sure && u.marks[n.parent].sure
	}
}

// hides marks the name of target as removed from parent.
func (u *upper) hides(m *merger, parent *node, target string) {
	if u == nil {
		return
	}
	mk := u.marks[parent]
	if mk.gone == nil {
		mk.gone = map[string]bool{}
	}
	mk.gone[path.Base(target)] = true
	if !u.willBeSure(m, path.Dir(target)) {
		u.loose = append(u.loose, loose{path: target})
	}
}

// clears marks the directory n at target as opaque.
func (u *upper) clears(m *merger, n *node, target string) {
	if u == nil {
		return
	}
	u.marks[n].opaque = true
	if !u.willBeSure(m, target) {
		u.loose = append(u.loose, loose{path: target, wider: true})
	}
}

// willBeSure says whether the directory is sure once all members of the layer at
// hand, whose whiteouts come first, are in place.
func (u *upper) willBeSure(m *merger, dir string) bool {
	at := m.root
	for end := 0; dir != "." && end < len(dir); end++ {
		name := dir[end:]
		if i := strings.IndexByte(name, '/'); i >= 0 {
			name = name[:i]
		}
		end += len(name)
		if at != nil {
			at = at.children[name]
		}
		switch mk := u.marks[at]; {
		case mk != nil && mk.sure:
		case m.lists(dir[:end]) && (mk == nil || !mk.used):
		default:
			return false
		}
	}
	return true
}
