package imagefs

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// errTwice says that the layers have to be read twice.
var errTwice = errors.New("the layers have to be read twice")

// squashOnce is Squash of all layers in one pass, from the highest down: what a
// member hides is known before lower layers come, so that a file that is not hidden
// can be written as it is met. That goes by paths alone, which links may make wrong.
// So at the end what was written is compared with what the merged layers hold; it is
// errTwice if that differs, or is sure to.
func squashOnce(ctx context.Context, f content.Fetcher, layers []Layer, limits content.Limits, out func() (io.Writer, error)) (int, error) {
	w, err := out()
	if err != nil {
		return 0, err
	}
	o := onePass{w: tarx.NewWriter(w, time.Time{}), cover: cover{}, buf: make([]byte, copySize)}
	room := newRoom(limits)
	members, written := make([][]member, len(layers)), make([][]int32, len(layers))
	n := 0
	for i := len(layers) - 1; i >= 0; i-- {
		o.skipped, o.written = map[string]bool{}, nil
		s := scanner{room: room, body: o.member}
		if err := s.layer(ctx, f, layers[i], limits); err != nil {
			return 0, content.AtDigest(layers[i].Digest, err)
		}
		members[i], written[i] = s.members, o.written
		n += len(o.written)
		if i > 0 {
			o.cover.add(s.members)
		}
	}
	t, err := merge(newMerger(room), layers, members, limits)
	if err == nil {
		err = t.finish()
	}
	if err != nil {
		return 0, err
	}
	c := newChanges(nil)
	if !c.hasWritten(t, members, written) {
		return 0, errTwice
	}
	c.compare("", t.root, newMerger(room).root)
	for _, file := range c.files {
		if err := o.w.RawHeader(file.Header()); err != nil {
			return 0, err
		}
	}
	return n + len(c.files), o.w.Close()
}

// hasWritten says whether the members written are those that hold the bodies of the
// tree, each under a name that it has there. Other names are links to that.
func (c *changes) hasWritten(t *Tree, members [][]member, written [][]int32) bool {
	for i, wanted := range t.wanted {
		if !slices.EqualFunc(wanted, written[i], func(w want, member int32) bool { return w.member == member }) {
			return false
		}
		for _, w := range wanted {
			m := &members[i][w.member]
			if n := t.root.at(m.name); n == nil || n.inode != &m.inode {
				return false
			}
			if m.links > 1 {
				c.kept[&m.inode] = m.name
			}
		}
	}
	return true
}

// at is the node at a path that leads through directories alone, or nil.
func (n *node) at(path string) *node {
	for name := range strings.SplitSeq(path, "/") {
		if n = n.children[name]; n == nil {
			return nil
		}
	}
	return n
}

// onePass writes the bodies of one layer after the other.
type onePass struct {
	w       *tarx.Writer
	cover   cover
	skipped map[string]bool // files of the layer that are hidden
	written []int32         // members of the layer
	buf     []byte
	steps   int // how many directories the members lead through
}

func (o *onePass) member(m *member, r io.Reader) error {
	if _, _, ok := m.isMark(); ok || m.isDir() {
		return nil
	}
	if o.steps += strings.Count(m.name, "/"); o.steps > maxSteps {
		return errTwice // which will refuse it
	}
	hidden := o.cover.hides(m.name)
	switch {
	case !hidden && o.cover[m.name]&implied != 0:
		return errTwice // files of higher layers lie where this leads to
	case m.kind == tar.TypeReg && hidden:
		o.skipped[m.name] = true
	case m.kind == tar.TypeReg && m.size > 0:
		o.written = append(o.written, m.member)
		if err := o.w.RawHeader(File{Path: m.name, Body: 0, inode: &m.inode}.Header()); err != nil {
			return err
		}
		_, err := io.CopyBuffer(o.w, r, o.buf)
		return err
	case m.kind == tar.TypeLink && !hidden:
		if target, err := tarx.MemberName(m.linkname); err == nil && o.skipped[target] {
			return errTwice // a hidden file has a name that is not
		}
	}
	return nil
}

// A cover is what higher layers say of paths.
type cover map[string]state

type state uint8

const (
	gone    state = 1 << iota // nothing is seen of what lies below it
	listed                    // it is a directory
	implied                   // it must be a directory, or a link to one: files lie in it
	opaque                    // nothing is seen of what lies below in it
)

// hides says whether a file of a lower layer is not seen.
func (c cover) hides(name string) bool {
	if c[""]&opaque != 0 || c[name]&(gone|listed) != 0 {
		return true
	}
	for i := range len(name) {
		if name[i] == '/' && c[name[:i]]&(gone|opaque) != 0 {
			return true
		}
	}
	return false
}

// add puts a layer below those that cover has.
func (c cover) add(members []member) {
	for i := range members {
		m := &members[i]
		target, isOpaque, ok := m.isMark()
		switch {
		case ok && target == "":
		case ok && target == ".":
			c[""] |= opaque
		case ok && isOpaque:
			c[target] |= opaque
		case ok:
			c[target] |= gone
		case m.isDir():
			c[m.name] |= listed
		default:
			c[m.name] |= gone
		}
		if ok {
			continue
		}
		for at := strings.LastIndexByte(m.name, '/'); at > 0; at = strings.LastIndexByte(m.name[:at], '/') {
			if c[m.name[:at]]&(listed|implied) != 0 {
				break
			}
			c[m.name[:at]] |= implied
		}
	}
}
