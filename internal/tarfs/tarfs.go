// Package tarfs reads an uncompressed tar archive in place: one pass over its
// headers makes an index, and from then on every member is an io.ReaderAt on its
// part of the archive. Nothing is unpacked and nothing is written.
package tarfs

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// Limits bound what an archive may make us keep; the zero value has defaults.
type Limits = tarx.Limits

// A Member is one entry of the archive.
type Member struct {
	Name     string // clean: relative, without "." or ".."
	Linkname string // of links, as the archive has it
	Type     byte   // archive/tar's Typeflag
	Mode     fs.FileMode
	ModTime  time.Time
	Offset   int64 // of the body in the archive
	Size     int64 // of the body; 0 for links, directories and devices
}

// An FS is the index of an archive. It is an fs.FS, fs.StatFS, fs.ReadDirFS and
// fs.ReadLinkFS, and safe for concurrent use. Of members with one name the last
// counts, as it would after unpacking.
type FS struct {
	r       io.ReaderAt
	members []Member
	before  []int32 // for each member, the one before it of the same name, or -1
	last    map[string]int32
	tree    func() map[string][]string // directory -> sorted base names
}

// New reads the headers of the archive in the first size bytes of r, which must
// stay readable for as long as the FS is used. Bodies are skipped. What is no
// tar archive at all gives content.ErrUnsupported, a damaged or truncated one
// content.ErrCorrupt, and one with unfit names or over the limits
// content.ErrRefused. RawNames of the limits is ignored.
func New(r io.ReaderAt, size int64, lim Limits) (*FS, error) {
	lim.RawNames = false
	f := &FS{r: r, last: make(map[string]int32)}
	f.tree = sync.OnceValue(f.grow)
	src := &window{r: r, size: size}
	tr := tarx.NewReader(src, lim)
	for {
		h, err := tr.Next()
		switch {
		case err == io.EOF && size > 0:
			return f, nil
		case err == io.EOF, len(f.members) == 0 && errors.Is(err, tar.ErrHeader), size < tarx.BlockSize && errors.Is(err, content.ErrCorrupt):
			return nil, content.Errorf(content.ErrUnsupported, "not a tar archive")
		case err != nil:
			return nil, err
		}
		if err := f.add(h, src.pos, size); err != nil {
			return nil, err
		}
	}
}

// add appends the member with header h, whose body starts at offset.
func (f *FS) add(h *tar.Header, offset, size int64) error {
	m := Member{Name: h.Name, Linkname: h.Linkname, Type: h.Typeflag, ModTime: h.ModTime, Offset: offset}
	m.Mode = h.FileInfo().Mode()
	if !headerOnly(m.Type) {
		m.Size = h.Size
	}
	if m.Size > size-offset {
		return content.At(m.Name, content.Errorf(content.ErrCorrupt, "tar archive is truncated"))
	}
	if m.Name == "." && m.Type != tar.TypeDir {
		return content.Errorf(content.ErrRefused, "the root of the archive is no directory")
	}
	prev, again := f.last[m.Name]
	if !again {
		prev = -1
	}
	f.last[m.Name] = int32(len(f.members))
	f.before = append(f.before, prev)
	f.members = append(f.members, m)
	return nil
}

// headerOnly reports whether members of a type never have a body, whatever size
// their headers give.
func headerOnly(typ byte) bool {
	switch typ {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		return true
	}
	return false
}

// Members returns all members in the order of the archive, links and duplicates
// included.
func (f *FS) Members() iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for _, m := range f.members {
			if !yield(m) {
				return
			}
		}
	}
}

// All returns every member of the given clean name in the order of the archive.
func (f *FS) All(name string) []Member {
	var all []Member
	i, ok := f.last[name]
	for ; ok && i >= 0; i = f.before[i] {
		all = append(all, f.members[i])
	}
	slices.Reverse(all)
	return all
}

// grow makes the tree of directories, those that only the names of their
// content imply included.
func (f *FS) grow() map[string][]string {
	tree := map[string][]string{".": nil}
	seen := make(map[string]bool, len(f.last))
	for _, m := range f.members {
		for name := m.Name; name != "." && !seen[name]; {
			seen[name] = true
			dir := path.Dir(name)
			tree[dir] = append(tree[dir], path.Base(name))
			name = dir
		}
	}
	for _, names := range tree {
		slices.Sort(names)
	}
	return tree
}

// at returns the member that has exactly this name, or the directory that the
// names of others imply.
func (f *FS) at(name string) (Member, bool) {
	if i, ok := f.last[name]; ok {
		return f.members[i], true
	}
	if _, ok := f.tree()[name]; ok {
		return Member{Name: name, Type: tar.TypeDir, Mode: fs.ModeDir | 0o755}, true
	}
	return Member{}, false
}

// maxLinks is how many links a lookup follows, as Linux does.
const maxLinks = 40

// resolve follows links to the member that name means.
func (f *FS) resolve(name string) (Member, error) {
	for links := 0; ; links++ {
		m, rest, err := f.walk(name)
		if err != nil {
			return Member{}, err
		}
		if m.Type != tar.TypeSymlink && m.Type != tar.TypeLink {
			return m, nil
		}
		if links == maxLinks {
			return Member{}, content.Errorf(content.ErrRefused, "more than %d links in a row", maxLinks)
		}
		target, err := linkTarget(m)
		if err != nil {
			return Member{}, err
		}
		next := path.Join(target, rest)
		if next == name {
			return Member{}, content.Errorf(content.ErrRefused, "link to itself")
		}
		name = next
	}
}

// walk returns the member called name, or the first symbolic link on the way to
// it with the rest of the way.
func (f *FS) walk(name string) (m Member, rest string, err error) {
	if m, ok := f.at(name); ok {
		return m, "", nil
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		if k, ok := f.last[name[:i]]; ok && f.members[k].Type == tar.TypeSymlink {
			return f.members[k], name[i+1:], nil
		}
	}
	return Member{}, "", errNotExist
}

var errNotExist = content.Errorf(content.ErrNotFound, "%w", fs.ErrNotExist)

// linkTarget returns the clean name that a link points at.
func linkTarget(m Member) (string, error) {
	if m.Type == tar.TypeSymlink {
		return tarx.CleanLink(m.Name, m.Linkname)
	}
	return tarx.CleanName(m.Linkname)
}

// regular resolves name to a regular file.
func (f *FS) regular(name string) (Member, error) {
	m, err := f.resolve(name)
	switch {
	case err != nil:
		return m, err
	case m.Type == tar.TypeDir:
		return m, content.Errorf(content.ErrInvalid, "is a directory")
	case m.Type != tar.TypeReg:
		return m, content.Errorf(content.ErrRefused, "is no regular file but %s", strings.TrimRight(m.Mode.Type().String(), "-"))
	}
	return m, nil
}

// Section returns the bytes of the regular file name, links followed, where they
// are. Errors are those of Open.
func (f *FS) Section(name string) (*io.SectionReader, error) {
	if !validPath(name) {
		return nil, fail("open", name, errInvalidPath)
	}
	m, err := f.regular(name)
	if err != nil {
		return nil, fail("open", name, err)
	}
	return f.SectionOf(m), nil
}

// SectionOf returns the bytes of a member that Members or All returned.
func (f *FS) SectionOf(m Member) *io.SectionReader {
	return io.NewSectionReader(f.r, m.Offset, m.Size)
}

// validPath is fs.ValidPath for names of any bytes, which archives have as file
// systems do: what a directory lists can be opened.
func validPath(name string) bool { return fs.ValidPath(strings.ToValidUTF8(name, "?")) }

var errInvalidPath = content.Errorf(content.ErrInvalid, "%w", fs.ErrInvalid)

func fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
