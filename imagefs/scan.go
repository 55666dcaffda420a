package imagefs

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// attributes are what a file is besides its name and bytes: a tar header without
// what nobody needs again, since there may be millions of them.
type attributes struct {
	kind         byte // a type flag of archive/tar
	mode         uint32
	uid, gid     int
	size         int64
	mtime        time.Time
	linkname     string
	major, minor int64
	pax          map[string]string // extended attributes and the like
}

// A member is one header of a layer's tar. The tree keeps its inode.
type member struct {
	name string // clean, relative; "" is the root
	inode
}

// isMark says whether the member is a whiteout, or belongs to the bookkeeping of
// aufs: target and opaque are as [tarx.Whiteout] has them, target "" for the latter.
func (m *member) isMark() (target string, opaque, ok bool) {
	if !strings.Contains(m.name, ".wh.") {
		return "", false, false
	}
	if target, opaque, ok = tarx.Whiteout(m.name); ok {
		return target, opaque, true
	}
	return "", false, tarx.WhiteoutMeta(m.name)
}

// A sample asks scan to keep the bytes of some files; nil asks for none.
type sample func(name string) bool

const (
	// maxSample is the largest file whose bytes are kept, maxSamples how many
	// bytes are kept of one layer.
	maxSample  = 1 << 20
	maxSamples = 4 << 20
)

// scan reads the headers of a layer, and the whole of it to prove it. The bodies
// are those of small files that keep wants, by the place of their member.
func scan(ctx context.Context, f content.Fetcher, l Layer, limits content.Limits, room *room, keep sample) ([]member, map[int32][]byte, error) {
	s := scanner{room: room, keep: keep}
	if err := s.layer(ctx, f, l, limits); err != nil {
		return nil, nil, err
	}
	return s.members, s.bodies, nil
}

// layer reads one layer, to its end.
func (s *scanner) layer(ctx context.Context, f content.Fetcher, l Layer, limits content.Limits) error {
	rc, err := OpenLayer(ctx, f, l, limits)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	stream := content.Track(ctx, rc, "scan", content.Short(l.Digest), -1)
	s.r = tarx.NewReader(stream, tarx.Limits{MaxMembers: limits.Members, RawNames: true})
	for err == nil {
		err = s.next()
	}
	if err == io.EOF || errors.Is(err, content.ErrCorrupt) {
		// If the blob is not what its digest says, that is the better answer.
		if _, bad := io.Copy(io.Discard, stream); bad != nil || err == io.EOF {
			err = bad
		}
	}
	return err
}

type scanner struct {
	r       *tarx.Reader
	room    *room
	words   interned
	members []member
	keep    sample
	bodies  map[int32][]byte
	kept    int64
	// body, if set, is given each member and may read its bytes.
	body func(m *member, r io.Reader) error
}

func (s *scanner) next() error {
	h, err := s.r.Next()
	if err != nil {
		return err
	}
	if s.words == nil {
		s.words = interned{}
	}
	m, err := s.words.member(h)
	if err != nil {
		return err
	}
	if err := s.room.take(m.cost()); err != nil {
		return err
	}
	if s.keep != nil && m.size > 0 && m.size <= maxSample && s.kept+m.size <= maxSamples && s.keep(m.name) {
		body := make([]byte, m.size)
		if _, err := io.ReadFull(s.r, body); err != nil {
			return err
		}
		if s.bodies == nil {
			s.bodies = map[int32][]byte{}
		}
		s.bodies[int32(len(s.members))] = body
		s.kept += m.size
	}
	m.member = int32(len(s.members))
	s.members = append(s.members, m)
	if s.body != nil {
		return s.body(&s.members[m.member], s.r)
	}
	return nil
}

// interned keeps one copy of the few words that most headers share.
type interned map[string]string

func (w interned) word(s string) string {
	if known, ok := w[s]; ok {
		return known
	}
	if len(w) < 1024 {
		w[s] = s
	}
	return s
}

func (w interned) member(h *tar.Header) (member, error) {
	m := member{inode: inode{body: -1, attributes: attributes{
		kind: h.Typeflag, mode: uint32(h.Mode & 0o7777), uid: h.Uid, gid: h.Gid, mtime: h.ModTime, linkname: h.Linkname,
	}}}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont:
		m.kind, m.size = tar.TypeReg, h.Size
	case tar.TypeChar, tar.TypeBlock:
		m.major, m.minor = h.Devmajor, h.Devminor
	case tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo:
	default:
		return m, content.Errorf(content.ErrUnsupported, "member %q has type %q", h.Name, h.Typeflag)
	}
	for key, value := range h.PAXRecords {
		if strings.Contains(key, ".") { // the others have fields of their own
			if m.pax == nil {
				m.pax = map[string]string{}
			}
			m.pax[w.word(key)] = value
		}
	}
	name, err := tarx.MemberName(h.Name)
	m.name = name
	return m, err
}

// cost is about what the member takes in memory.
func (m *member) cost() int {
	n := memberCost + len(m.name) + len(m.linkname)
	for key, value := range m.pax {
		n += memberCost + len(key) + len(value)
	}
	return n
}
