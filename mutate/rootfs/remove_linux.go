package rootfs

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

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
