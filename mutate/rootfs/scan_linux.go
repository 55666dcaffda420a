package rootfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
)

// A file is what is known of one path of the directory without reading its bytes.
type file struct {
	path         string // from the root, "" for it
	mode         uint32 // st_mode
	uid, gid     uint32
	size         int64 // of a regular file
	mtime, ctime int64 // nanoseconds since 1970
	ino, dev     uint64
	links        uint64
	device       uint64 // that a device file stands for
	xattrs       uint64 // a hash of the extended attributes; 0 without any, or if not asked for
	target       string // of a symbolic link
}

func (f *file) kind() uint32  { return f.mode & unix.S_IFMT }
func (f *file) isDir() bool   { return f.kind() == unix.S_IFDIR }
func (f *file) isPlain() bool { return f.kind() == unix.S_IFREG }

// A scanner lists all files of a directory tree.
type scanner struct {
	rootless bool // directories that can't be read are made so for a moment
	xattrs   bool // hash extended attributes
	group    *errgroup.Group
}

// A branch is a directory's files, and what is in the directories among them.
type branch struct {
	files []file
	below map[int]*branch
}

// scan lists dir in the order of imagefs.ComparePaths, several directories at a time.
func (s scanner) scan(ctx context.Context, dir string) ([]file, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.EACCES && s.rootless {
		restore, chmodErr := openUp(unix.AT_FDCWD, dir)
		if chmodErr != nil {
			return nil, content.At(dir, chmodErr)
		}
		defer restore()
		fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, content.At(dir, err)
	}
	root, err := s.file(fd, ".", "")
	if err != nil {
		return nil, errors.Join(content.At(dir, err), unix.Close(fd))
	}
	s.group, ctx = errgroup.WithContext(ctx)
	s.group.SetLimit(8)
	top := &branch{}
	err = s.list(ctx, fd, "", top)
	if err = errors.Join(err, s.group.Wait()); err != nil {
		return nil, content.At(dir, err)
	}
	return top.flatten([]file{root}), nil
}

func (b *branch) flatten(to []file) []file {
	for i := range b.files {
		to = append(to, b.files[i])
		if below := b.below[i]; below != nil {
			to = below.flatten(to)
		}
	}
	return to
}

// list lists the open directory fd, and closes it.
func (s scanner) list(ctx context.Context, fd int, name string, b *branch) error {
	dir := os.NewFile(uintptr(fd), name)
	names, err := dir.Readdirnames(-1)
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	slices.Sort(names)
	b.files = make([]file, 0, len(names))
	for _, base := range names {
		f, err := s.file(fd, base, path.Join(name, base))
		if err == unix.ENOENT {
			continue // it is gone meanwhile
		}
		if err != nil {
			return errors.Join(content.At(path.Join(name, base), err), dir.Close())
		}
		b.files = append(b.files, f)
	}
	if err := s.descend(ctx, fd, name, b); err != nil {
		return errors.Join(err, dir.Close())
	}
	return dir.Close()
}

// descend lists the directories in one.
func (s scanner) descend(ctx context.Context, fd int, name string, b *branch) error {
	for i := range b.files {
		f := &b.files[i]
		if !f.isDir() {
			continue
		}
		base := path.Base(f.path)
		sub, err := unix.Openat(fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		restore := func() {}
		if s.rootless && f.mode&0o500 != 0o500 && os.Geteuid() != 0 {
			if err == nil {
				_ = unix.Close(sub) // to open it again
			}
			if restore, err = openUp(fd, base); err != nil {
				return content.At(f.path, err)
			}
			sub, err = unix.Openat(fd, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		}
		if err != nil {
			restore()
			return content.At(f.path, err)
		}
		below := &branch{}
		if b.below == nil {
			b.below = map[int]*branch{}
		}
		b.below[i] = below
		if f.mode&0o500 == 0o500 && s.group.TryGo(func() error { return s.list(ctx, sub, f.path, below) }) {
			continue
		}
		err = s.list(ctx, sub, f.path, below)
		restore()
		if err != nil {
			return err
		}
	}
	return nil
}

// openUp lets the owner read and search a directory, or read a file, which it can't;
// restore takes that back.
func openUp(fd int, base string) (restore func(), err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return func() {}, err
	}
	add := uint32(0o400)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		add = 0o700
	case unix.S_IFREG:
	default:
		return func() {}, unix.EACCES // chmod would follow a link
	}
	mode := st.Mode & 0o7777
	if err := unix.Fchmodat(fd, base, mode|add, 0); err != nil {
		return func() {}, err
	}
	return func() { _ = unix.Fchmodat(fd, base, mode, 0) }, nil // it worked a moment ago
}

// file describes one name in an open directory.
func (s scanner) file(fd int, base, name string) (file, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return file{}, err
	}
	f := file{path: name, mode: st.Mode, uid: st.Uid, gid: st.Gid, ino: st.Ino, dev: uint64(st.Dev), links: uint64(st.Nlink)}
	f.mtime, f.ctime = st.Mtim.Nano(), st.Ctim.Nano()
	var err error
	switch f.kind() {
	case unix.S_IFREG:
		f.size = st.Size
	case unix.S_IFLNK:
		f.target, err = readlinkat(fd, base)
	case unix.S_IFCHR, unix.S_IFBLK:
		f.device = uint64(st.Rdev)
	}
	if err == nil && s.xattrs {
		f.xattrs, err = s.hash(fd, base)
		if err == nil && s.rootless {
			// Reading them may have taken a chmod, which changed ctime.
			if err = unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil {
				f.ctime = st.Ctim.Nano()
			}
		}
	}
	return f, err
}

// hash is a hash of a file's extended attributes; 0 without any.
func (s scanner) hash(fd int, base string) (uint64, error) {
	all, err := s.read(fd, base)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	h := sha256.New()
	var size [8]byte
	for _, x := range all {
		for _, b := range [][]byte{[]byte(x.name), x.value} {
			binary.BigEndian.PutUint64(size[:], uint64(len(b)))
			h.Write(size[:])
			h.Write(b)
		}
	}
	return max(binary.BigEndian.Uint64(h.Sum(nil)), 1), nil
}

// An xattr is one extended attribute.
type xattr struct {
	name  string
	value []byte
}

// read reads a file's extended attributes, by name. Those that the caller may not
// see are left out.
func (s scanner) read(fd int, base string) ([]xattr, error) {
	f := namedFile(fd, base)
	names, err := f.list()
	if err != nil {
		return nil, err
	}
	var all []xattr
	for _, name := range names {
		value, err := f.get(name)
		if err == unix.EACCES && s.rootless {
			restore, chmodErr := openUp(fd, base)
			if chmodErr == nil {
				value, err = f.get(name)
				restore()
			}
		}
		switch {
		case err == unix.ENODATA, err == unix.ENOTSUP:
			continue
		case err != nil:
			return nil, content.At("extended attribute "+name, err)
		}
		all = append(all, xattr{name, value})
	}
	return all, nil
}
