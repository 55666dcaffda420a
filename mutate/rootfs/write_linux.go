package rootfs

import (
	"archive/tar"
	"errors"
	"io"
	"path"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

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
	target, err := tarx.MemberName(h.Linkname)
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
