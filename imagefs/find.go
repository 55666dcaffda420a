package imagefs

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"path"

	"github.com/ocilayout/ocilayout/content"
)

// A Found is a file that [Find] found. Its Path may lead through links of layers
// that were not read.
type Found struct {
	File
	f      content.Fetcher
	layers []Layer
	limits content.Limits
	body   []byte // if it was read on the way
}

// Find looks for the file at path in an image, the lowest of whose layers comes
// first. It reads the highest layer, to its end, and goes on to lower ones only
// while what they hold may change the answer: a file in the highest layer costs
// that layer alone. Links are followed inside the image. Nothing there is
// ErrNotFound, which takes all layers unless a whiteout says so; for other errors
// see [Build].
//
// The answer is that of Build but where a layer does not list the directories of
// its files, a link of a lower layer alone leads to where they lie, and a later
// file or directory takes the place of one of those links or directories, or is
// put below a link to a file.
func Find(ctx context.Context, f content.Fetcher, layers []Layer, path string, limits content.Limits) (*Found, error) {
	return find(ctx, f, layers, path, limits, true)
}

// FindIn looks for the file at path in one layer alone, as Find does. A hard link
// to a file that the layer does not hold is ErrNotFound.
func FindIn(ctx context.Context, f content.Fetcher, layer Layer, path string, limits content.Limits) (*Found, error) {
	return find(ctx, f, []Layer{layer}, path, limits, false)
}

func find(ctx context.Context, f content.Fetcher, layers []Layer, p string, limits content.Limits, whole bool) (*Found, error) {
	limits = limits.WithDefaults()
	s := search{path: p, members: make([][]member, len(layers)), room: newRoom(limits)}
	wanted := func(name string) bool { return path.Base(name) == path.Base(p) }
	var a answer
	bodies := make([]map[int32][]byte, len(layers))
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		var err error
		if s.members[i], bodies[i], err = scan(ctx, f, l, limits, s.room, wanted); err != nil {
			return nil, content.AtDigest(l.Digest, err)
		}
		if a, err = s.ask(i, i == 0 && whole); err != nil {
			return nil, content.At(p, err)
		}
		if a.certain {
			break
		}
	}
	switch {
	case a.node == nil:
		return nil, content.At(p, content.Errorf(content.ErrNotFound, "no such file in the image"))
	case a.node.kind == tar.TypeLink:
		return nil, content.At(p, content.Errorf(content.ErrNotFound, "a hard link to %q, which is not in the layer", a.node.linkname))
	}
	n := a.node
	return &Found{
		File: File{Path: a.path, Body: -1, inode: n.inode}, f: f, layers: layers, limits: limits,
		body: bodies[n.layer][n.member],
	}, nil
}

// Open returns the bytes of a regular file, all of which lie in a layer that was
// proven when the file was found. Of a large file the layer is read again, and the
// last Read is io.EOF only if it still is what it was. The caller closes the
// reader. What is no regular file is ErrInvalid.
func (x *Found) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := x.regular(); err != nil {
		return nil, content.At(x.Path, err)
	}
	if x.body != nil || x.inode.size == 0 {
		return io.NopCloser(bytes.NewReader(x.body)), nil
	}
	return openBody(ctx, x.f, x.layers[x.inode.layer], x.inode.member, x.limits)
}

func (f File) regular() error {
	switch f.inode.kind {
	case tar.TypeReg:
		return nil
	case tar.TypeDir:
		return content.Errorf(content.ErrInvalid, "is a directory")
	}
	return content.Errorf(content.ErrInvalid, "is a %s and has no bytes", f.Type())
}

// A search merges more and more layers from above.
type search struct {
	path    string
	members [][]member // of the layers read so far
	room    *room
}

// An answer is certain if no lower layer can change it.
type answer struct {
	node    *node // nil where nothing is
	path    string
	certain bool
}

// ask looks for the path in the layers from number lowest up; whole says that
// these are all.
func (s *search) ask(lowest int, whole bool) (answer, error) {
	m := newMerger(s.room.fork())
	if !whole {
		m.upper = newUpper(m.root)
	}
	for i := lowest; i < len(s.members); i++ {
		if err := m.layer(int32(i), s.members[i]); err != nil {
			return answer{}, err
		}
	}
	j := judge{upper: m.upper, walked: map[string]bool{}, names: map[string]bool{}, oldest: place(int32(len(s.members)), 0), certain: true}
	r := resolver{root: m.root}
	if !whole {
		r.trail, r.up = j.step, j.leave
	}
	n, clean, err := r.resolve(s.path, true)
	if err != nil {
		return answer{}, err
	}
	return answer{n, clean, whole || j.verdict(n)}, nil
}

// A judge says whether a way through layers that lie on unknown ones is certain.
type judge struct {
	upper   *upper
	certain bool
	walked  map[string]bool // paths on the way
	names   map[string]bool // and the last parts of them
	unsure  bool            // a directory on the way may be a link below
	oldest  int64           // the place of the oldest file or link on the way
}

func (j *judge) step(dir *node, p string, n *node) {
	j.walked[p], j.names[path.Base(p)] = true, true
	m := j.upper.marks[dir]
	j.unsure = j.unsure || !m.sure
	switch {
	case m.doubt:
		j.certain = false
	case n == nil:
		j.certain = j.certain && m.sure && (m.opaque || m.gone[path.Base(p)])
	case n.kind == tar.TypeLink:
		j.certain = false
	case !n.isDir():
		j.oldest = min(j.oldest, place(n.layer, n.member))
	}
}

// leave: what is above a directory that may be a link is not known.
func (j *judge) leave(dir *node) {
	j.certain = j.certain && j.upper.marks[dir].sure
}

func (j *judge) verdict(n *node) bool {
	if n != nil && n.isDir() {
		j.certain = j.certain && j.upper.marks[n].sure
	}
	if !j.certain || j.unsure && j.oldest < j.upper.turn {
		return false
	}
	for _, l := range j.upper.loose {
		if !j.walked[l.path] && (l.wider || j.names[path.Base(l.path)]) {
			return false
		}
	}
	return true
}
