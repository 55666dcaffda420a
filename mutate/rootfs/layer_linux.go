package rootfs

import (
	"archive/tar"
	"context"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// whiteoutMark is in front of the name of what a layer removes.
const whiteoutMark = ".wh."

// A member is what a layer says of a path.
type member struct {
	path    string
	removed bool
}

// plan lists the members of a layer that makes the changes, in the order of its tar:
// also the directories that they lie in, so that whoever puts the layer over others
// need not guess what those are like, and every path of a file with several, since
// not all can link to a file of a lower layer. now is the whole directory, sorted.
func (c *changes) plan(now []file) []member {
	chosen := map[string]bool{}
	for _, name := range c.changed {
		chosen[name] = true
	}
	c.chooseLinks(chosen, now)
	for name := range chosen {
		for above := name; above != ""; {
			if above = parent(above); above != "" {
				chosen[above] = true
			}
		}
	}
	var members []member
	for _, name := range c.removed {
		if c.hiddenAnyway(name, now) {
			continue
		}
		members = append(members, member{path: name, removed: true})
		for above := parent(name); above != ""; above = parent(above) {
			chosen[above] = true
		}
	}
	for name := range chosen {
		members = append(members, member{path: name})
	}
	slices.SortFunc(members, func(a, b member) int { return imagefs.ComparePaths(a.path, b.path) })
	return members
}

// chooseLinks adds the other paths of files that have several.
func (c *changes) chooseLinks(chosen map[string]bool, now []file) {
	type inode struct{ dev, ino uint64 }
	wanted := map[inode]bool{}
	for i := range now {
		if f := &now[i]; f.links > 1 && !f.isDir() && chosen[f.path] {
			wanted[inode{f.dev, f.ino}] = true
		}
	}
	if len(wanted) == 0 {
		return
	}
	for i := range now {
		if f := &now[i]; f.links > 1 && !f.isDir() && wanted[inode{f.dev, f.ino}] && !c.isMasked(f.path) {
			chosen[f.path] = true
		}
	}
}

// hiddenAnyway says that a path was in a directory that is none any more: what is
// there now hides it.
func (c *changes) hiddenAnyway(name string, now []file) bool {
	for above := parent(name); above != ""; above = parent(above) {
		i, ok := slices.BinarySearchFunc(now, above, func(f file, name string) int { return imagefs.ComparePaths(f.path, name) })
		if ok {
			return !now[i].isDir()
		}
	}
	return false
}

// A packer writes a layer of members from a directory.
type packer struct {
	dir     *tree
	scan    scanner
	own     owners
	maxTime time.Time
	warn    *warnings
	modes   map[string]uint32 // of directories that have another one for the moment
	w       *tarx.Writer
	first   map[[2]uint64]string // path in the layer of each file with several links
	buf     []byte
	written int
	removed int
}

// pack writes the layer, closed by the two zero blocks.
func (p *packer) pack(ctx context.Context, to io.Writer, members []member) error {
	p.w, p.first, p.buf = tarx.NewWriter(to, time.Time{}), map[[2]uint64]string{}, make([]byte, 256<<10)
	for _, m := range members {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var err error
		if strings.HasPrefix(path.Base(m.path), whiteoutMark) {
			err = content.Errorf(content.ErrUnsupported, "a layer can't hold a file whose name begins with %q", whiteoutMark)
		} else if m.removed {
			err = p.whiteout(m.path)
		} else {
			err = p.file(m.path)
		}
		if err != nil {
			return content.At(m.path, err)
		}
	}
	return p.w.Close()
}

func (p *packer) whiteout(name string) error {
	p.removed++
	return p.w.RawHeader(&tar.Header{Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0),
		Name: path.Join(parent(name), whiteoutMark+path.Base(name))})
}

// file writes one path as it is now.
func (p *packer) file(name string) error {
	at, base, err := p.dir.locate(name)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(at.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if mode, ok := p.modes[name]; ok {
		st.Mode = mode
	}
	h, err := p.header(at.fd, base, name, &st)
	if h == nil || err != nil {
		return err
	}
	if st.Nlink > 1 && h.Typeflag != tar.TypeDir {
		key := [2]uint64{uint64(st.Dev), st.Ino}
		if first, ok := p.first[key]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			p.first[key] = name
		}
	}
	p.written++
	if h.Typeflag != tar.TypeReg {
		return p.w.RawHeader(h)
	}
	fd, err := p.scan.open(at.fd, base)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was only read
	if err := p.w.RawHeader(h); err != nil {
		return err
	}
	for left := h.Size; left > 0; {
		n, err := readFull(fd, p.buf[:min(left, int64(len(p.buf)))])
		if err == nil && n == 0 {
			err = content.Errorf(content.ErrConflict, "became shorter while it was read")
		}
		if err != nil {
			return err
		}
		if _, err := p.w.Write(p.buf[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// header describes a file; nil if a layer can't hold it.
func (p *packer) header(fd int, base, name string, st *unix.Stat_t) (*tar.Header, error) {
	h := &tar.Header{Name: name, Mode: int64(st.Mode & 0o7777), ModTime: time.Unix(st.Mtim.Sec, 0)}
	if !p.maxTime.IsZero() && h.ModTime.After(p.maxTime) {
		h.ModTime = p.maxTime.Truncate(time.Second)
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, strings.TrimPrefix(name+"/", "/")
		if name == "" {
			h.Name = "./"
		}
	case unix.S_IFLNK:
		h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
		h.Linkname, err = readlinkat(fd, base)
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = tar.TypeBlock
		if st.Mode&unix.S_IFMT == unix.S_IFCHR {
			h.Typeflag = tar.TypeChar
		}
		h.Devmajor, h.Devminor = int64(unix.Major(uint64(st.Rdev))), int64(unix.Minor(uint64(st.Rdev)))
	default:
		p.warn.add("sockets are left out, a layer can't hold them")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return h, p.owned(h, fd, base, st)
}

// owned adds owner and extended attributes.
func (p *packer) owned(h *tar.Header, fd int, base string, st *unix.Stat_t) (err error) {
	if !p.own.rootless {
		if h.Uid, err = toContainer(st.Uid, p.own.uids); err != nil {
			return err
		}
		if h.Gid, err = toContainer(st.Gid, p.own.gids); err != nil {
			return err
		}
	}
	all, err := p.scan.read(fd, base)
	if err != nil {
		return err
	}
	for _, x := range all {
		switch {
		case x.name == ownerXattr && p.own.rootless:
			if h.Uid, h.Gid, err = decodeOwner(x.value); err != nil {
				return err
			}
		case len(x.value) == 0:
			p.warn.add("empty extended attributes are left out, a layer can't hold them")
		default:
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords[paxXattr+x.name] = string(x.value)
		}
	}
	return nil
}
