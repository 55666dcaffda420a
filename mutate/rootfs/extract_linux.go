package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"hash/maphash"
	"io"
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
	name, err := tarx.MemberName(h.Name)
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
