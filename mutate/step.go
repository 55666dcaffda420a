package mutate

import (
	"archive/tar"
	"io"
	"maps"
	"time"
)

// A Step is what an edit does to the members of a layer's tar. Steps with equal keys
// do the same to the same bytes: a layer that several images share is rewritten
// once if its steps have equal keys.
type Step interface {
	Key() string
	// Start begins one pass over a layer.
	Start() Filter
}

// A Filter sees the members of one layer, in their order.
type Filter interface {
	// Member may change m or drop it. m is of no use after the call.
	Member(m *Member) error
}

// A canonical Step has all headers written in the one form that Normalize describes.
type canonical interface{ canonical() }

// A Member is one member of a layer's tar: its header and its body. One that no
// filter changes is copied with the bytes that it has.
type Member struct {
	// Name is the clean path from the root, without a slash at either end; "." is the
	// root itself.
	Name string
	// Link is, for a hard link, the clean path of its target.
	Link string
	// Header is for looking; see Edit.
	Header *tar.Header

	changed bool // the header may have been
	cloned  bool // its records are not those that were read
	dropped bool
	before  []*tar.Header
	fault   error // why the member can't stay
	rewrite func(w io.Writer, r io.Reader) error
}

// Edit returns the header for changing: name, link, mode, owner, times, PAX records.
// Size and Typeflag are not to be changed so, and PAX records that a field stands for
// follow the field.
func (m *Member) Edit() *tar.Header {
	if !m.cloned {
		m.Header.PAXRecords = maps.Clone(m.Header.PAXRecords) // was and is will be compared
	}
	m.changed, m.cloned = true, true
	return m.Header
}

// SetTimes changes the member's times to what f makes of each that it has: of
// modification, and if it has them access, change and creation.
func (m *Member) SetTimes(f func(time.Time) time.Time) {
	h := m.Header
	for _, t := range []*time.Time{&h.ModTime, &h.AccessTime, &h.ChangeTime} {
		if t.IsZero() {
			continue
		}
		if is := f(*t); !is.Equal(*t) {
			*t = is
			m.changed = true
		}
	}
}

// Before puts a member without a body, such as a directory, before this one. It passes
// through the steps after the one that adds it.
func (m *Member) Before(h *tar.Header) { m.before = append(m.before, h) }

// Drop leaves the member out. What later hard links in the layer say of it holds: the
// first of them becomes the file.
func (m *Member) Drop() { m.dropped = true }

// Rewrite has f make the body of a regular file from the one that it has, when its
// turn comes: f reads r to its end and writes to w. If what it writes is the same the
// member is unchanged.
func (m *Member) Rewrite(f func(w io.Writer, r io.Reader) error) { m.rewrite = f }

// isFile says whether the member is a regular file.
func (m *Member) isFile() bool {
	return m.Header.Typeflag == tar.TypeReg || m.Header.Typeflag == tar.TypeCont
}

// NewStep makes a Step of a function that sees every member and remembers nothing.
func NewStep(key string, member func(m *Member) error) Step { return funcStep{key, member} }

type funcStep struct {
	key    string
	member func(m *Member) error
}

func (s funcStep) Key() string            { return s.key }
func (s funcStep) Start() Filter          { return s }
func (s funcStep) Member(m *Member) error { return s.member(m) }
