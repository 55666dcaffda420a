package imagefs

import (
	"archive/tar"
	"context"
	"io"
	"path"
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

// A member is one header of a layer's tar.
type member struct {
	name string // clean, relative; "" is the root
	attributes
}

// scan reads the headers of a layer, and the whole of it to prove it.
func scan(ctx context.Context, f content.Fetcher, l Layer, limits content.Limits) ([]member, error) {
	rc, err := OpenLayer(ctx, f, l, limits)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	stream := content.Track(ctx, rc, "scan", content.Short(l.Digest), -1)
	var members []member
	words := interned{}
	r := tarx.NewReader(stream, tarx.Limits{MaxMembers: limits.Members, RawNames: true})
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		m, err := words.member(h)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	_, err = io.Copy(io.Discard, stream)
	return members, err
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
	m := member{attributes: attributes{
		kind: h.Typeflag, mode: uint32(h.Mode & 0o7777), uid: h.Uid, gid: h.Gid, mtime: h.ModTime, linkname: h.Linkname,
	}}
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
	name, err := cleanName(h.Name)
	m.name = name
	return m, err
}

// cleanName is the path from the root that a name in a layer means; "" is the
// root. An absolute one starts there too; one that leads out is ErrRefused.
func cleanName(name string) (string, error) {
	clean := path.Clean(strings.TrimLeft(name, "/"))
	switch {
	case name == "":
		return "", content.Errorf(content.ErrCorrupt, "a member has no name")
	case clean == ".":
		return "", nil
	case clean == "..", strings.HasPrefix(clean, "../"):
		return "", content.Errorf(content.ErrRefused, "the name %q leads out of the root", name)
	}
	return clean, nil
}
