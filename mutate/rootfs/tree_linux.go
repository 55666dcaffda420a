package rootfs

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
)

// A tree is a directory that is written to as if it were the root of a filesystem.
// Directories on the way to a file are opened one after the other, by descriptors
// and without following links: those are read, and followed inside the tree.
type tree struct {
	root  int
	fds   map[string]int    // open directories, by their true path
	known map[string]string // true paths of directories, by a path that may have links in it
	// stale is set when a link or directory is gone, so that paths may lead elsewhere.
	stale bool
}

// A place is an open directory of a tree. It is good until forget.
type place struct {
	fd   int
	path string // from the root, with no link in it; "" is the root
}

// at is the true path of a name in the directory.
func (p place) at(name string) string { return path.Join(p.path, name) }

// keepOpen is how many directories are kept open between members.
const keepOpen = 200

// maxLinks is how many links may be followed on the way to one file.
const maxLinks = 255

func openTree(dir string) (*tree, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, content.At(dir, err)
	}
	t := &tree{root: fd}
	t.reset()
	return t, nil
}

func (t *tree) reset() {
	t.fds, t.known, t.stale = map[string]int{}, map[string]string{}, false
}

// forget closes directories if that is due. Places are of no use afterwards.
func (t *tree) forget() {
	if t.stale || len(t.fds) > keepOpen {
		t.closeDirs()
	}
}

func (t *tree) closeDirs() {
	for _, fd := range t.fds {
		_ = unix.Close(fd) // of a directory that was only looked up in
	}
	t.reset()
}

func (t *tree) close() {
	t.closeDirs()
	_ = unix.Close(t.root) // nothing was written through it
}

// A walk is one way to a directory.
type walk struct {
	*tree
	links int
	// make, if set, makes a directory that is not there.
	make func(place, string) error
	// clear, if set, takes what is no directory out of the way.
	clear func(place, string) error
}

// dir opens the directory at name, which is clean. Nothing there is ENOENT, a file
// on the way ENOTDIR.
func (w *walk) dir(name string) (place, error) {
	if name == "" {
		return place{fd: w.root}, nil
	}
	if real, ok := w.known[name]; ok {
		if real == "" {
			return place{fd: w.root}, nil
		}
		if fd, ok := w.fds[real]; ok {
			return place{fd: fd, path: real}, nil
		}
	}
	above, base := path.Split(name)
	p, err := w.dir(strings.TrimSuffix(above, "/"))
	if err != nil {
		return p, err
	}
	p, err = w.step(p, base)
	if err == nil {
		w.known[name] = p.path
	}
	return p, err
}

// step goes on from p to a name in it, which is neither "." nor "..".
func (w *walk) step(p place, base string) (place, error) {
	real := p.at(base)
	if fd, ok := w.fds[real]; ok {
		return place{fd: fd, path: real}, nil
	}
	for range 3 {
		fd, err := unix.Openat(p.fd, base, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			w.fds[real] = fd
			return place{fd: fd, path: real}, nil
		case err == unix.ENOENT && w.make != nil:
			err = w.make(p, base)
		case err == unix.ENOTDIR, err == unix.ELOOP:
			target, linkErr := readlinkat(p.fd, base)
			if linkErr == nil {
				return w.follow(p, target)
			}
			if w.clear != nil && linkErr == unix.EINVAL {
				err = w.clear(p, base)
			}
		}
		if err != nil {
			return p, err
		}
	}
	return p, content.At(real, unix.EBUSY) // someone else makes and removes it
}

// follow goes from p to where a link leads, in which ".." is the directory above
// in truth.
func (w *walk) follow(p place, target string) (place, error) {
	if w.links++; w.links > maxLinks {
		return p, unix.ELOOP
	}
	if path.IsAbs(target) {
		p = place{fd: w.root}
	}
	var err error
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			p, err = w.dir(parent(p.path))
		default:
			p, err = w.step(p, part)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// parent is the directory that a path lies in; that of the root is the root.
func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}

func readlinkat(fd int, name string) (string, error) {
	for size := 256; ; size *= 4 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(fd, name, buf)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// isGone says that an error means that nothing is there.
func isGone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
}
