//go:build amd64

package torture

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A disk is what a filesystem may hold after a power cut, as POSIX promises it and
// no more: the bytes of a file are safe after fsync of the file, a name after fsync
// of its directory, and syncfs makes all safe. What is not safe may be there or not,
// each write and each name on its own, in any order; only a rename is never half
// done. Filesystems promise more than that; what holds here holds on them.
type disk struct {
	files map[int]*file
	next  int
	names []nameChange      // those that are not safe in full, in order
	spare map[string]int    // files without a name, by what stands for one
	safe  map[int]directory // by directory, the names that are
	live  map[int]directory // and those that a process sees
}

const rootID = 0

type directory map[string]int

// A file is an inode; directories have no bytes.
type file struct {
	dir    bool
	safe   []byte
	writes []write // those that are not safe, in order
}

type write struct {
	began    int
	offset   int64
	data     []byte
	truncate bool // to offset
}

// A nameChange gives a name to a file or takes it away, or both in one step.
type nameChange struct {
	began      int
	add        bool
	dir        int
	name       string
	file       int
	addSafe    bool
	remove     bool
	fromDir    int
	fromName   string
	removeSafe bool
}

func (w write) apply(data []byte) []byte {
	if w.truncate {
		if w.offset <= int64(len(data)) {
			return data[:w.offset]
		}
		return append(data, make([]byte, w.offset-int64(len(data)))...)
	}
	if end := w.offset + int64(len(w.data)); end > int64(len(data)) {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	copy(data[w.offset:], w.data)
	return data
}

// bytes are those that a process sees.
func (f *file) bytes() []byte {
	data := slices.Clone(f.safe)
	for _, w := range f.writes {
		data = w.apply(data)
	}
	return data
}

// loadDisk reads a directory as a disk on which all is safe.
func loadDisk(dir string) (*disk, error) {
	d := &disk{files: map[int]*file{rootID: {dir: true}}, next: 1, spare: map[string]int{}, safe: map[int]directory{}, live: map[int]directory{}}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f := &file{dir: e.IsDir()}
		if !f.dir {
			if f.safe, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		parent, _ := d.find(filepath.Dir(rel))
		id := d.add(f)
		d.put(d.safe, parent, filepath.Base(rel), id)
		d.put(d.live, parent, filepath.Base(rel), id)
		return nil
	})
	return d, err
}

func (d *disk) add(f *file) int {
	id := d.next
	d.files[id] = f
	d.next++
	return id
}

func (d *disk) put(where map[int]directory, dir int, name string, id int) {
	if where[dir] == nil {
		where[dir] = directory{}
	}
	where[dir][name] = id
}

// find is the file that a process sees at a path from the root, or the one without a
// name for which the path stands.
func (d *disk) find(path string) (int, bool) {
	if id, ok := d.spare[path]; ok {
		return id, true
	}
	id := rootID
	if path == "." {
		return id, true
	}
	for part := range strings.SplitSeq(path, "/") {
		next, ok := d.live[id][part]
		if !ok {
			return 0, false
		}
		id = next
	}
	return id, true
}

func (d *disk) change(c nameChange) {
	d.names = append(d.names, c)
	c.apply(d, d.live, true)
}

// apply makes the change, or only the part that gives the name.
func (c nameChange) apply(d *disk, where map[int]directory, whole bool) {
	if c.remove && whole && (!c.add || where[c.fromDir][c.fromName] == c.file) {
		delete(where[c.fromDir], c.fromName)
	}
	if c.add {
		d.put(where, c.dir, c.name, c.file)
	}
}

// begin is the effect of a call, none of which is safe yet. What it can't follow is
// an error: a record with a hole proves nothing.
func (d *disk) begin(root string, c call) error {
	if c.result < 0 {
		return nil
	}
	rel := func(path string) string {
		r, err := filepath.Rel(root, path)
		if err != nil {
			return path
		}
		return r
	}
	path := rel(c.path)
	id, found := d.find(path)
	parent, _ := d.find(filepath.Dir(path))
	base := filepath.Base(path)
	switch c.name {
	case "tmpfile":
		d.spare[rel(c.path2)] = d.add(&file{})
	case "openat":
		switch {
		case !found && c.flags&unix.O_CREAT != 0:
			d.change(nameChange{began: c.began, add: true, dir: parent, name: base, file: d.add(&file{})})
		case found && c.flags&unix.O_TRUNC != 0:
			d.files[id].writes = append(d.files[id].writes, write{began: c.began, truncate: true})
		case !found:
			return fmt.Errorf("%s of %s, which is not there", c.name, path)
		}
	case "mkdirat":
		d.change(nameChange{began: c.began, add: true, dir: parent, name: base, file: d.add(&file{dir: true})})
	case "write", "pwrite64", "copy_file_range", "ficlone", "ftruncate":
		if !found {
			return fmt.Errorf("%s to %s, which has no name", c.name, path)
		}
		w := write{began: c.began, offset: c.offset, data: c.data}
		switch c.name {
		case "write", "pwrite64":
			if int64(len(c.data)) < c.result || c.offset < 0 {
				return fmt.Errorf("%s to %s: what was written is not known", c.name, path)
			}
			w.data = c.data[:c.result]
		case "ftruncate":
			w = write{began: c.began, offset: c.size, truncate: true}
		default:
			source, ok := d.find(rel(c.source))
			if !ok {
				return fmt.Errorf("%s from %s, which is not there", c.name, c.source)
			}
			w.data = d.files[source].bytes()
			if c.name == "copy_file_range" {
				w.data = w.data[c.srcOff:][:c.result]
			} else {
				w.offset = 0
			}
		}
		d.files[id].writes = append(d.files[id].writes, w)
	case "renameat", "renameat2", "linkat":
		if !found {
			return fmt.Errorf("%s of %s, which is not there", c.name, path)
		}
		to := rel(c.path2)
		dir, _ := d.find(filepath.Dir(to))
		n := nameChange{began: c.began, add: true, dir: dir, name: filepath.Base(to), file: id}
		if c.name != "linkat" {
			n.remove, n.fromDir, n.fromName = true, parent, base
		}
		d.change(n)
		delete(d.spare, path)
	case "unlinkat":
		d.change(nameChange{began: c.began, remove: true, fromDir: parent, fromName: base})
	case "fallocate":
		return fmt.Errorf("%s of %s is not followed", c.name, path)
	}
	return nil
}

// sync is the end of a call that made something safe: what had begun before it did.
func (d *disk) sync(root string, c call) {
	if c.kind != "fsync" || c.result < 0 {
		return
	}
	path, err := filepath.Rel(root, c.path)
	if err != nil {
		return
	}
	id, found := d.find(path)
	if !found {
		return
	}
	all := c.name == "syncfs"
	for n, f := range d.files {
		if !all && n != id {
			continue
		}
		for len(f.writes) > 0 && f.writes[0].began < c.began {
			f.safe = f.writes[0].apply(f.safe)
			f.writes = f.writes[1:]
		}
	}
	for i := range d.names {
		n := &d.names[i]
		if n.began < c.began {
			n.addSafe = n.addSafe || n.add && (all || n.dir == id)
			n.removeSafe = n.removeSafe || n.remove && (all || n.fromDir == id)
		}
	}
	// The oldest ones that are safe in full need not be remembered.
	for len(d.names) > 0 && d.names[0].addSafe == d.names[0].add && d.names[0].removeSafe == d.names[0].remove {
		d.names[0].apply(d, d.safe, true)
		d.names = d.names[1:]
	}
}

// A fate decides what of the unsafe is there after the power cut.
type fate struct {
	name  func() bool
	write func() int // 0 lost, 1 there, 2 the first half, 3 zeros in its place
}

// fates are a few that everyone thinks of, and as many at random as asked.
func fates(random *rand.Rand, more int) []fate {
	always := func(name bool, write int) fate {
		return fate{func() bool { return name }, func() int { return write }}
	}
	all := []fate{always(false, 0), always(true, 1), always(true, 0), always(true, 2), always(true, 3), always(false, 1)}
	for range more {
		all = append(all, fate{func() bool { return random.IntN(2) == 0 }, func() int { return random.IntN(4) }})
	}
	return all
}

// crash is one of the trees that the power cut may leave: bytes by path; nil is a
// directory.
func (d *disk) crash(f fate) map[string][]byte {
	where := map[int]directory{}
	for dir, names := range d.safe {
		for name, id := range names {
			d.put(where, dir, name, id)
		}
	}
	for _, c := range d.names {
		// Whoever keeps the rename keeps both halves of it; but where only the new name
		// is safe the old one may come back beside it.
		there := f.name()
		switch {
		case there || c.removeSafe:
			c.apply(d, where, true)
		case c.addSafe:
			c.apply(d, where, false)
		}
	}
	contents := map[int][]byte{}
	for id, file := range d.files {
		data := slices.Clone(file.safe)
		for _, w := range file.writes {
			switch f.write() {
			case 1:
				data = w.apply(data)
			case 2:
				w.data = w.data[:len(w.data)/2]
				data = w.apply(data)
			case 3:
				w.data = make([]byte, len(w.data))
				data = w.apply(data)
			}
		}
		contents[id] = data
	}
	return d.tree(where, contents)
}

// seen is the tree that a process sees.
func (d *disk) seen() map[string][]byte {
	contents := map[int][]byte{}
	for id, f := range d.files {
		contents[id] = f.bytes()
	}
	return d.tree(d.live, contents)
}

func (d *disk) tree(where map[int]directory, contents map[int][]byte) map[string][]byte {
	tree := map[string][]byte{}
	var walk func(dir int, path string)
	walk = func(dir int, path string) {
		for name, id := range where[dir] {
			at := filepath.Join(path, name)
			if d.files[id].dir {
				tree[at] = nil
				walk(id, at)
			} else if tree[at] = contents[id]; tree[at] == nil {
				tree[at] = []byte{}
			}
		}
	}
	walk(rootID, "")
	return tree
}

// same compares a tree with the directory that it stands for.
func same(tree map[string][]byte, dir string) error {
	real, err := loadDisk(dir)
	if err != nil {
		return err
	}
	there := real.seen()
	for path, data := range there {
		if got, ok := tree[path]; !ok || !bytes.Equal(got, data) {
			return fmt.Errorf("%s: the record has %d bytes (%v), the disk %d", path, len(got), ok, len(data))
		}
	}
	for path := range tree {
		if _, ok := there[path]; !ok {
			return fmt.Errorf("%s is in the record and not on the disk", path)
		}
	}
	return nil
}

// lay writes a tree below dir, which is made anew.
func lay(tree map[string][]byte, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for path, data := range tree {
		at := filepath.Join(dir, path)
		if data == nil {
			if err := os.MkdirAll(at, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			return err
		}
	}
	return os.MkdirAll(dir, 0o755)
}
