package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// An extractor writes layers into a tree, the lowest first. What directories look
// like in the end is set at the end, so that files can be put into them.
type extractor struct {
	*tree
	owners
	keepDirlinks bool
	warn         *warnings
	dirs         map[string]dirAttributes // by their true path
	room         int64                    // bytes of memory that dirs may still take
	upper        seen                     // what the layer at hand holds, and lies above
	buf          []byte
}

// dirAttributes are what is set of a directory at the end.
type dirAttributes struct {
	mode         uint32
	atime, mtime unix.Timespec
}

// unlisted are those of a directory that no layer lists and files lie in.
var unlisted = dirAttributes{mode: 0o755}

// writable is what a directory's owner may do while files are put into it.
const writable = 0o700

// seen is a set of paths, as hashes that nobody can foresee: millions take little.
type seen struct {
	seed  maphash.Seed
	paths map[uint64]struct{}
}

func newSeen() seen { return seen{maphash.MakeSeed(), map[uint64]struct{}{}} }

func (s seen) has(name string) bool {
	_, ok := s.paths[maphash.String(s.seed, name)]
	return ok
}

// add adds a path with the directories above it.
func (s seen) add(name string) {
	for ; name != ""; name = parent(name) {
		key := maphash.String(s.seed, name)
		if _, ok := s.paths[key]; ok {
			return
		}
		s.paths[key] = struct{}{}
	}
}

func newExtractor(t *tree, o UnpackOptions, warn *warnings) (*extractor, error) {
	e := &extractor{tree: t, owners: ownersOf(o), keepDirlinks: o.KeepDirlinks, warn: warn,
		dirs: map[string]dirAttributes{"": unlisted}, room: o.Limits.Tree, buf: make([]byte, 1<<20)}
	return e, e.chownAt(t.root, ".", 0, 0)
}

// layer writes one layer, to the proof at its end.
func (e *extractor) layer(ctx context.Context, r io.Reader, members int) error {
	e.upper = newSeen()
	tr := tarx.NewReader(r, tarx.Limits{MaxMembers: members, RawNames: true})
	for {
		h, err := tr.Next()
		if err == nil {
			e.forget()
			if err = e.member(h, tr); err == nil {
				err = context.Cause(ctx)
			}
			if err != nil && !isVerdict(err) {
				err = content.At(h.Name, err)
			}
		}
		if err == io.EOF || errors.Is(err, content.ErrCorrupt) {
			// If the blob is not what its digest says, that is the better answer.
			if _, bad := io.CopyBuffer(io.Discard, r, e.buf); bad != nil || err == io.EOF {
				err = bad
			}
			return err
		}
		if err != nil {
			return err
		}
	}
}

// isVerdict says that an error is about a layer as a whole.
func isVerdict(err error) bool {
	return errors.Is(err, content.ErrDigest) || errors.Is(err, content.ErrSize) || errors.Is(err, context.Canceled)
}

// member writes one member of a layer.
func (e *extractor) member(h *tar.Header, r io.Reader) error {
	name, err := memberName(h.Name)
	if err != nil {
		return err
	}
	if target, opaque, ok := tarx.Whiteout(name); ok {
		return e.whiteout(target, opaque)
	}
	if tarx.WhiteoutMeta(name) {
		return nil
	}
	if name == "" {
		if h.Typeflag != tar.TypeDir {
			return content.Errorf(content.ErrRefused, "the root is no directory")
		}
		return e.listDir(e.root, place{fd: e.root}, h)
	}
	w := e.walk()
	p, err := w.dir(parent(name))
	if err != nil {
		return unreachable(err)
	}
	base := path.Base(name)
	e.upper.add(p.at(base))
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont:
		return e.regular(p, base, h, r)
	case tar.TypeDir:
		return e.directory(p, base, h)
	case tar.TypeSymlink:
		return e.symlink(p, base, h)
	case tar.TypeLink:
		return e.hardlink(p, base, h)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return e.node(p, base, h)
	}
	return content.Errorf(content.ErrUnsupported, "a member has type %q", h.Typeflag)
}

// walk is a walk that makes the directories that files lie in.
func (e *extractor) walk() *walk {
	return &walk{tree: e.tree, make: e.makeDir, clear: e.remove}
}

// unreachable says why a member's directory can't be had.
func unreachable(err error) error {
	if errors.Is(err, unix.ELOOP) {
		return content.Errorf(content.ErrCorrupt, "its directory lies behind too many links")
	}
	return err
}

func (e *extractor) makeDir(p place, base string) error {
	if err := unix.Mkdirat(p.fd, base, writable); err != nil {
		return err
	}
	e.upper.add(p.at(base))
	if err := e.setDir(p.at(base), unlisted); err != nil {
		return err
	}
	return e.chownAt(p.fd, base, 0, 0)
}

// dirCost is about what a directory takes in memory besides its path.
const dirCost = 150

// setDir notes what a directory gets at the end.
func (e *extractor) setDir(name string, a dirAttributes) error {
	if _, ok := e.dirs[name]; !ok {
		if e.room -= dirCost + int64(len(name)); e.room < 0 {
			return content.Errorf(content.ErrRefused, "the directories of the image take more memory than the limit")
		}
	}
	e.dirs[name] = a
	return nil
}

// put calls create, once more if something is in the way, which goes.
func (e *extractor) put(p place, base string, create func() error) error {
	err := create()
	if err == unix.EEXIST {
		if err = e.remove(p, base); err == nil {
			err = create()
		}
	}
	return err
}

func (e *extractor) regular(p place, base string, h *tar.Header, r io.Reader) (err error) {
	var fd int
	err = e.put(p, base, func() (err error) {
		fd, err = unix.Openat(p.fd, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := e.copy(fd, r, h.Size); err != nil {
		return err
	}
	if err := e.attributes(fd, h); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, permissions(h)); err != nil {
		return err
	}
	return setTimes(p.fd, base, h)
}

// copy writes size bytes of r.
func (e *extractor) copy(fd int, r io.Reader, size int64) error {
	for done := int64(0); done < size; {
		n, err := r.Read(e.buf)
		for b := e.buf[:n]; len(b) > 0; {
			written, err := unix.Write(fd, b)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return err
			}
			b = b[written:]
		}
		done += int64(n)
		if err == io.EOF && done < size {
			return content.Errorf(content.ErrCorrupt, "tar archive is truncated")
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

func (e *extractor) directory(p place, base string, h *tar.Header) error {
	err := unix.Mkdirat(p.fd, base, writable)
	if err == unix.EEXIST {
		if e.keepDirlinks && e.isDirlink(p, base) {
			return e.named(p, base, h)
		}
		var st unix.Stat_t
		if err = unix.Fstatat(p.fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			if err = e.remove(p, base); err == nil {
				err = unix.Mkdirat(p.fd, base, writable)
			}
		}
	}
	if err != nil {
		return err
	}
	fd, err := unix.Openat(p.fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // of a directory
	return e.listDir(fd, place{path: p.at(base)}, h)
}

// listDir gives an open directory what its member says, but for what is set at the
// end.
func (e *extractor) listDir(fd int, p place, h *tar.Header) error {
	if err := e.attributes(fd, h); err != nil {
		return err
	}
	atime, mtime := times(h)
	if err := e.setDir(p.path, dirAttributes{mode: permissions(h), atime: atime, mtime: mtime}); err != nil {
		return err
	}
	return unix.Fchmod(fd, permissions(h)|writable)
}

// isDirlink says whether a name is a link to a directory.
func (e *extractor) isDirlink(p place, base string) bool {
	target, err := readlinkat(p.fd, base)
	if err != nil {
		return false
	}
	_, err = (&walk{tree: e.tree}).follow(p, target)
	return err == nil
}

func (e *extractor) symlink(p place, base string, h *tar.Header) error {
	if h.Linkname == "" {
		return content.Errorf(content.ErrCorrupt, "a symbolic link leads nowhere")
	}
	err := e.put(p, base, func() error { return unix.Symlinkat(h.Linkname, p.fd, base) })
	if err != nil {
		return err
	}
	return e.named(p, base, h)
}

func (e *extractor) hardlink(p place, base string, h *tar.Header) error {
	target, err := memberName(h.Linkname)
	if err != nil {
		return err
	}
	from, err := (&walk{tree: e.tree}).dir(parent(target))
	if isGone(err) || target == "" {
		return content.Errorf(content.ErrCorrupt, "it is a hard link to %q, which is not there", h.Linkname)
	}
	if err != nil {
		return unreachable(err)
	}
	last := path.Base(target)
	var st unix.Stat_t
	err = unix.Fstatat(from.fd, last, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case isGone(err):
		return content.Errorf(content.ErrCorrupt, "it is a hard link to %q, which is not there", h.Linkname)
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return content.Errorf(content.ErrCorrupt, "it is a hard link to %q, which is a directory", h.Linkname)
	case from.at(last) == p.at(base):
		return nil
	}
	err = e.put(p, base, func() error { return unix.Linkat(from.fd, last, p.fd, base, 0) })
	if err == unix.ENOENT {
		return content.Errorf(content.ErrCorrupt, "it is a hard link to %q, in whose place it is", h.Linkname)
	}
	return err
}

// node makes a fifo or device, or an empty file in place of a device.
func (e *extractor) node(p place, base string, h *tar.Header) error {
	mode := uint32(unix.S_IFIFO)
	var device uint64
	if h.Typeflag != tar.TypeFifo {
		if h.Devmajor < 0 || h.Devminor < 0 || h.Devmajor > maxID || h.Devminor > maxID {
			return content.Errorf(content.ErrCorrupt, "there is no device %d:%d", h.Devmajor, h.Devminor)
		}
		device = unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
		mode = unix.S_IFBLK
		if h.Typeflag == tar.TypeChar {
			mode = unix.S_IFCHR
		}
		if e.rootless {
			e.warn.add("devices are empty files here, without root")
			empty := *h
			empty.Size = 0
			return e.regular(p, base, &empty, nil)
		}
	}
	err := e.put(p, base, func() error { return unix.Mknodat(p.fd, base, mode|0o600, int(device)) })
	if err == unix.EPERM {
		return content.Errorf(content.ErrUnsupported, "making a device needs root, or --rootless: %w", err)
	}
	if err != nil {
		return err
	}
	if err := e.named(p, base, h); err != nil {
		return err
	}
	// The file at base is no link: it was made just now.
	if err := unix.Fchmodat(p.fd, base, permissions(h), 0); err != nil {
		return err
	}
	return setTimes(p.fd, base, h)
}

// named gives a link or node, which is not opened, what its member says.
func (e *extractor) named(p place, base string, h *tar.Header) error {
	if err := e.chownAt(p.fd, base, h.Uid, h.Gid); err != nil {
		return err
	}
	if err := e.setXattrs(namedFile(p.fd, base), h); err != nil {
		return err
	}
	return setTimes(p.fd, base, h)
}

// attributes gives an open file the owner and extended attributes of its member.
func (e *extractor) attributes(fd int, h *tar.Header) error {
	if err := e.chown(fd, h.Uid, h.Gid); err != nil {
		return err
	}
	return e.setXattrs(openFile(fd), h)
}

// whiteout removes what lower layers have at target, or in it.
func (e *extractor) whiteout(target string, opaque bool) error {
	if target == "." {
		target = ""
	}
	w := &walk{tree: e.tree}
	if !opaque {
		p, err := w.dir(parent(target))
		if isGone(err) {
			return nil
		}
		if err != nil {
			return unreachable(err)
		}
		return e.hide(p.fd, path.Base(target), p.at(path.Base(target)))
	}
	p, err := w.dir(target)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return unreachable(err)
	}
	return e.hideIn(p.fd, ".", p.path)
}

// hide removes a name, except for what the layer at hand has put there.
func (e *extractor) hide(fd int, base, real string) error {
	if !e.upper.has(real) {
		return e.remove(place{fd: fd, path: parent(real)}, base)
	}
	err := e.hideIn(fd, base, real)
	if isGone(err) || err == unix.ELOOP {
		return nil // it is no directory, and of this layer
	}
	return err
}

// hideIn hides what is in a directory.
func (e *extractor) hideIn(fd int, base, real string) error {
	return eachIn(fd, base, func(dir int, name string) error {
		return e.hide(dir, name, path.Join(real, name))
	})
}

// remove removes a name with all below it; nothing there is no error.
func (e *extractor) remove(p place, base string) error {
	err := unix.Unlinkat(p.fd, base, 0)
	if err != unix.EISDIR {
		if isGone(err) {
			return nil
		}
		e.stale = true // it may have been a link
		return err
	}
	e.stale = true
	real := p.at(base)
	err = eachIn(p.fd, base, func(dir int, name string) error {
		return e.remove(place{fd: dir, path: real}, name)
	})
	if err != nil {
		return err
	}
	if _, ok := e.dirs[real]; ok {
		e.room += dirCost + int64(len(real))
		delete(e.dirs, real)
	}
	return unix.Unlinkat(p.fd, base, unix.AT_REMOVEDIR)
}

// eachIn calls fn with every name in a directory, and the descriptor of that.
func eachIn(fd int, base string, fn func(dir int, name string) error) error {
	dir, err := unix.Openat(fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(dir), base)
	defer func() { _ = f.Close() }() // it was only read
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := fn(dir, name); err != nil {
			return err
		}
	}
	return nil
}

// finish sets what waited for the end, of the deepest directories first.
func (e *extractor) finish() error {
	paths := make([]string, 0, len(e.dirs))
	for name := range e.dirs {
		paths = append(paths, name)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(b, a) })
	for _, name := range paths {
		e.forget()
		if err := e.finishDir(name, e.dirs[name]); err != nil {
			return content.At(name, err)
		}
	}
	return nil
}

func (e *extractor) finishDir(name string, a dirAttributes) error {
	at, base := place{fd: e.root}, "."
	if name != "" {
		var err error
		if at, err = (&walk{tree: e.tree}).dir(parent(name)); err != nil {
			return err
		}
		base = path.Base(name)
	}
	fd, err := unix.Openat(at.fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // of a directory
	if err := unix.Fchmod(fd, a.mode); err != nil {
		return err
	}
	return unix.UtimesNanoAt(at.fd, base, []unix.Timespec{a.atime, a.mtime}, unix.AT_SYMLINK_NOFOLLOW)
}

// permissions are the bits that chmod takes.
func permissions(h *tar.Header) uint32 { return uint32(h.Mode & 0o7777) }

func times(h *tar.Header) (atime, mtime unix.Timespec) {
	mtime = unix.Timespec{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}
	if h.AccessTime.IsZero() {
		return mtime, mtime
	}
	return unix.Timespec{Sec: h.AccessTime.Unix(), Nsec: int64(h.AccessTime.Nanosecond())}, mtime
}

func setTimes(fd int, base string, h *tar.Header) error {
	atime, mtime := times(h)
	return unix.UtimesNanoAt(fd, base, []unix.Timespec{atime, mtime}, unix.AT_SYMLINK_NOFOLLOW)
}
