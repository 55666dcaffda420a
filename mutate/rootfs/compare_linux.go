package rootfs

import (
	"bytes"
	"context"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// changes are what happened to a directory since it was unpacked, as paths from its
// root.
type changes struct {
	changed []string // are new or other than they were
	removed []string // are gone
	masks   []string // paths that don't count, with what is below them
}

// A comparison tells what happened by two lists of files. Where the second one has
// no hashes of extended attributes they are read where they matter.
type comparison struct {
	dir  *tree
	scan scanner
	changes
	// doubtful are regular files that look the same and were touched: only their bytes
	// tell.
	doubtful []string
}

// compare goes through both lists, in order.
func (c *comparison) compare(before, now []file) error {
	for len(before) > 0 || len(now) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(now) == 0:
			order = -1
		default:
			order = imagefs.ComparePaths(before[0].path, now[0].path)
		}
		switch {
		case order < 0:
			c.removed = append(c.removed, before[0].path)
			before = before[1:]
		case order > 0:
			c.changed = append(c.changed, now[0].path)
			now = now[1:]
		default:
			if err := c.pair(&before[0], &now[0]); err != nil {
				return err
			}
			before, now = before[1:], now[1:]
		}
	}
	return nil
}

// pair compares a path that was and is there.
func (c *comparison) pair(before, now *file) error {
	if untouched(before, now) {
		return nil
	}
	other := before.mode != now.mode || before.uid != now.uid || before.gid != now.gid || before.size != now.size ||
		before.device != now.device || before.target != now.target || second(before.mtime) != second(now.mtime)
	if !other {
		hash, err := c.hash(now)
		if err != nil {
			return content.At(now.path, err)
		}
		other = before.xattrs != hash
	}
	switch {
	case other:
		c.changed = append(c.changed, now.path)
	case now.isPlain() && now.size > 0:
		c.doubtful = append(c.doubtful, now.path)
	}
	return nil
}

// untouched says that stat shows that nothing was done to a file since: nobody can
// set ctime. Of a directory it tells nothing about what is in it.
func untouched(before, now *file) bool {
	return before.ctime == now.ctime && before.ino == now.ino && before.mtime == now.mtime && before.size == now.size &&
		before.mode == now.mode && before.uid == now.uid && before.gid == now.gid && before.device == now.device
}

// second is the time in whole seconds, which is what layers keep.
func second(ns int64) int64 {
	s := ns / 1e9
	if ns%1e9 < 0 {
		s--
	}
	return s
}

func (c *comparison) hash(f *file) (uint64, error) {
	p, base, err := c.dir.locate(f.path)
	if err != nil {
		return 0, err
	}
	return c.scan.hash(p.fd, base)
}

// locate opens the directory that a true path lies in.
func (t *tree) locate(name string) (place, string, error) {
	t.forget()
	if name == "" {
		return place{fd: t.root}, ".", nil
	}
	p, err := (&walk{tree: t}).dir(parent(name))
	if err == nil && p.path != parent(name) {
		err = content.Errorf(content.ErrConflict, "a directory became a link meanwhile")
	}
	return p, path.Base(name), err
}

// settle compares the bytes of doubtful files with those in the image, which is one
// more pass over its layers.
func (c *comparison) settle(ctx context.Context, f content.Fetcher, layers []imagefs.Layer, limits content.Limits) error {
	if len(c.doubtful) == 0 {
		return nil
	}
	image, err := imagefs.Build(ctx, f, layers, limits)
	if err != nil {
		return err
	}
	bodies := map[int][]string{}
	for _, name := range c.doubtful {
		in, err := image.Lookup(name, false)
		if err == nil && in.Link != "" {
			in, err = image.Lookup(in.Link, false)
		}
		if err != nil || in.Body < 0 {
			c.changed = append(c.changed, name) // the image has it elsewhere, behind a kept link
			continue
		}
		bodies[in.Body] = append(bodies[in.Body], name)
	}
	if len(bodies) == 0 {
		return nil
	}
	var mu sync.Mutex
	return image.Bodies(ctx, f, func(body int, r io.Reader) error {
		names := bodies[body]
		if names == nil {
			return nil
		}
		mu.Lock() // of the tree's descriptors; the disk is what takes time
		defer mu.Unlock()
		changed, err := c.differing(names, r)
		c.changed = append(c.changed, changed...)
		return err
	})
}

// differing gives those of the files whose bytes are not those of r.
func (c *comparison) differing(names []string, r io.Reader) ([]string, error) {
	open := map[string]int{}
	defer func() {
		for _, fd := range open {
			_ = unix.Close(fd) // it was only read
		}
	}()
	for _, name := range names {
		p, base, err := c.dir.locate(name)
		if err != nil {
			return nil, content.At(name, err)
		}
		fd, err := c.scan.open(p.fd, base)
		if err != nil {
			return nil, content.At(name, err)
		}
		open[name] = fd
	}
	var changed []string
	want, have := make([]byte, 128<<10), make([]byte, 128<<10)
	for len(open) > 0 {
		n, err := io.ReadFull(r, want)
		ended := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !ended {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(open)) {
			got, err := readFull(open[name], have[:min(n+1, len(have))])
			if err != nil {
				return nil, content.At(name, err)
			}
			if got < n || ended && got != n || !bytes.Equal(want[:n], have[:n]) {
				changed = append(changed, name)
				_ = unix.Close(open[name]) // it was only read
				delete(open, name)
			}
		}
		if ended {
			break
		}
	}
	return changed, nil
}

// readFull reads as much as there is, up to the length of b.
func readFull(fd int, b []byte) (int, error) {
	n := 0
	for n < len(b) {
		more, err := unix.Read(fd, b[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || more == 0 {
			return n, err
		}
		n += more
	}
	return n, nil
}

// open opens a regular file to be read, also one that its owner may not read.
func (s scanner) open(fd int, base string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	f, err := unix.Openat(fd, base, flags, 0)
	if err != unix.EACCES || !s.rootless {
		return f, err
	}
	restore, err := openUp(fd, base)
	if err != nil {
		return -1, err
	}
	defer restore()
	return unix.Openat(fd, base, flags, 0)
}

// leave takes out of the changes what lies at or below one of the masks, and removals
// below other removals, which say it all.
func (c *changes) leave(masks []string) {
	for _, mask := range masks {
		c.masks = append(c.masks, strings.TrimPrefix(path.Clean("/"+mask), "/"))
	}
	c.changed = slices.DeleteFunc(c.changed, c.isMasked)
	c.removed = slices.DeleteFunc(c.removed, c.isMasked)
	slices.SortFunc(c.removed, imagefs.ComparePaths)
	last := ""
	c.removed = slices.DeleteFunc(c.removed, func(name string) bool {
		if last != "" && strings.HasPrefix(name, last+"/") {
			return true
		}
		last = name
		return false
	})
}

func (c *changes) isMasked(name string) bool {
	for _, mask := range c.masks {
		if mask == "" || name == mask || strings.HasPrefix(name, mask+"/") {
			return true
		}
	}
	return false
}
