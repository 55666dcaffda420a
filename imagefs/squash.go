package imagefs

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// Squash writes the plain tar of one layer that does what layers[first:] do on top
// of layers[:first], the lowest of which comes first: unpacked there, or into an
// empty directory if first is 0, it leaves the same tree. Names, owners, modes,
// times, extended attributes and hard links stay; user and group have their numbers
// only. Above other layers it keeps an opaque directory opaque, and a whiteout for
// all that it hides of them; with nothing below there are none of either.
//
// The order of the members is fixed: whiteouts, files that have bytes, and all others,
// a directory behind what is in it. So its time is right also where that is set at
// once, or where a directory that no layer lists has to be made in it. One that takes
// the place of something else in lower layers comes before everything, too.
//
// The layers are read once if first is 0 and no link makes that impossible, else
// twice, and of layers[:first] only the headers. out gives the writer; it is called
// again if writing has to begin anew, and what went to the writer before is void
// then. All layers are proven before Squash returns the number of members. Errors are
// those of [Build] and of out and its writers.
func Squash(ctx context.Context, f content.Fetcher, layers []Layer, first int, limits content.Limits, out func() (io.Writer, error)) (int, error) {
	limits = limits.WithDefaults()
	if first < 0 || first >= len(layers) {
		return 0, content.Errorf(content.ErrInvalid, "an image of %d layers has none from the number %d on", len(layers), first+1)
	}
	if first == 0 {
		if n, err := squashOnce(ctx, f, layers, limits, out); !errors.Is(err, errTwice) {
			return n, err
		}
	}
	return squashTwice(ctx, f, layers, first, limits, out)
}

// copySize is how much of a body is copied at a time.
const copySize = 128 << 10

// squashTwice reads the headers of all layers, and then the bodies that are left.
func squashTwice(ctx context.Context, f content.Fetcher, layers []Layer, first int, limits content.Limits, out func() (io.Writer, error)) (int, error) {
	t, base, cleared, err := buildOn(ctx, f, layers, first, limits)
	if err != nil {
		return 0, err
	}
	w, err := out()
	if err != nil {
		return 0, err
	}
	c := newChanges(cleared)
	c.keep("", t.root, base.root)
	c.compare("", t.root, base.root)
	tw := tarx.NewWriter(w, time.Time{})
	for _, member := range c.leading {
		if err := tw.RawHeader(member); err != nil {
			return 0, err
		}
	}
	for i := len(layers) - 1; i >= 0; i-- {
		if err := c.layerBodies(ctx, f, t, i, tw); err != nil {
			return 0, err
		}
	}
	for _, file := range c.files {
		if err := tw.RawHeader(file.Header()); err != nil {
			return 0, err
		}
	}
	return len(c.leading) + len(c.bodies) + len(c.files), tw.Close()
}

// buildOn is Build which also returns the tree of the layers below first, whose
// files are the same inodes, and the directories that a higher layer made opaque.
func buildOn(ctx context.Context, f content.Fetcher, layers []Layer, first int, limits content.Limits) (t, base *Tree, cleared map[*node]bool, err error) {
	room := newRoom(limits)
	members, err := scanAll(ctx, f, layers, limits, room)
	if err != nil {
		return nil, nil, nil, err
	}
	if base, err = merge(newMerger(room), layers[:first], members[:first], limits); err != nil {
		return nil, nil, nil, err
	}
	m := newMerger(room)
	if first > 0 {
		m.cleared, m.clearsFrom = map[*node]bool{}, int32(first)
	}
	if t, err = merge(m, layers, members, limits); err != nil {
		return nil, nil, nil, err
	}
	return t, base, m.cleared, t.finish()
}

// changes are what makes one tree of another.
type changes struct {
	cleared map[*node]bool // directories that are opaque
	// kept are the names under which files with several are to be found: one that they
	// still have in lower layers, or that of the member that they are.
	kept    map[*inode]string
	leading []*tar.Header // members that come before all bodies
	bodies  map[int]File
	files   []File // all others
	buf     []byte
}

func newChanges(cleared map[*node]bool) *changes {
	return &changes{cleared: cleared, kept: map[*inode]string{}, bodies: map[int]File{}, buf: make([]byte, copySize)}
}

// keep finds the names that files of lower layers have kept.
func (c *changes) keep(dir string, n, base *node) {
	if c.cleared[n] {
		return
	}
	for _, name := range base.names() {
		b, now := base.children[name], n.children[name]
		switch {
		case now == nil:
		case b.isDir() && now.isDir():
			c.keep(join(dir, name), now, b)
		case b.inode == now.inode && b.links > 1 && c.kept[b.inode] == "":
			c.kept[b.inode] = join(dir, name)
		}
	}
}

// compare collects what is to be written of the directory n. base is what the lower
// layers have at its path, if it is seen there.
func (c *changes) compare(dir string, n, base *node) {
	at := File{Path: path.Clean(dir), Body: -1, inode: n.inode}
	replaces := base != nil && !base.isDir()
	if replaces {
		c.leading = append(c.leading, at.Header())
		base = nil
	}
	listed := replaces || n.isNew(base)
	if c.cleared[n] {
		c.leading = append(c.leading, whiteout(join(dir, ".wh..wh..opq")))
		base = nil
	}
	var below map[string]*node
	if base != nil {
		below = base.children
		for _, name := range base.names() {
			if n.children[name] == nil {
				c.leading = append(c.leading, whiteout(join(dir, ".wh."+name)))
			}
		}
	}
	for _, name := range n.names() {
		child := n.children[name]
		b := below[name]
		switch {
		case child.isDir():
			c.compare(join(dir, name), child, b)
		case b == nil || b.inode != child.inode:
			c.file(join(dir, name), child)
		}
	}
	if listed {
		c.files = append(c.files, at)
	}
}

// isNew says whether a directory is to be listed: it is other than base, the one
// below it, if any. One that no layer lists has to be only if it is empty, since it
// comes with its files else, and is not other than one that no layer lists.
func (n *node) isNew(base *node) bool {
	if base == nil {
		return n.member >= 0 || len(n.children) == 0
	}
	return n.inode != base.inode && (n.member >= 0 || base.member >= 0)
}

// file collects what is no directory. A link to a file that lower layers still have
// a name for leads there; what they have no name for any more is written anew.
func (c *changes) file(path string, n *node) {
	f := File{Path: path, Body: int(n.body), inode: n.inode}
	if n.links > 1 {
		if to := c.kept[n.inode]; to != "" && to != path {
			f.Link, f.Body = to, -1
		} else {
			c.kept[n.inode] = path
		}
	}
	if f.Body >= 0 {
		c.bodies[f.Body] = f
	} else {
		c.files = append(c.files, f)
	}
}

// whiteout is the member of a mark.
func whiteout(name string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, ModTime: time.Unix(0, 0)}
}

// layerBodies writes the files whose bytes a layer holds.
func (c *changes) layerBodies(ctx context.Context, f content.Fetcher, t *Tree, layer int, w *tarx.Writer) error {
	var wanted []want
	for _, body := range t.wanted[layer] {
		if _, ok := c.bodies[int(body.body)]; ok {
			wanted = append(wanted, body)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	err := t.layerBodies(ctx, f, t.layers[layer], wanted, func(body int, r io.Reader) error {
		if err := w.RawHeader(c.bodies[body].Header()); err != nil {
			return err
		}
		_, err := io.CopyBuffer(w, r, c.buf)
		return err
	})
	return content.AtDigest(t.layers[layer].Digest, err)
}
