package mutate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// fileComparer walks two trees side by side.
type fileComparer struct {
	*comparer
	d                    *FilesDifference
	from, to             *imagefs.Tree
	fromLayers, toLayers []imagefs.Layer
	doubts               []fileDoubt
}

// A fileDoubt is two files of equal size whose bytes must be read to tell. at is where
// their difference stands in the list.
type fileDoubt struct{ at, from, to int }

func (w *fileComparer) walk() error {
	nextFrom, stopFrom := iter.Pull(w.from.Files())
	defer stopFrom()
	nextTo, stopTo := iter.Pull(w.to.Files())
	defer stopTo()
	f, okF := nextFrom()
	t, okT := nextTo()
	for okF || okT {
		order := 0
		switch {
		case !okF:
			order = 1
		case !okT:
			order = -1
		default:
			order = imagefs.ComparePaths(f.Path, t.Path)
		}
		var err error
		switch {
		case order < 0:
			err = w.alone("removed", f)
		case order > 0:
			err = w.alone("added", t)
		default:
			err = w.both(f, t)
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			f, okF = nextFrom()
		}
		if order >= 0 {
			t, okT = nextTo()
		}
	}
	return nil
}

// alone notes a file that one side has. The root is no file that can be missing.
func (w *fileComparer) alone(change string, f imagefs.File) error {
	if f.Path == "." {
		return nil
	}
	x := FileDifference{Path: f.Path, Change: change}
	if change == "added" {
		x.To = w.facts(f)
	} else {
		x.From = w.facts(f)
	}
	return w.note(x, x.From, x.To)
}

// note puts a difference on the list, if there is room.
func (w *fileComparer) note(x FileDifference, facts ...*ComparedFile) error {
	cost := 200 + len(x.Path)
	for _, f := range facts {
		if f == nil {
			continue
		}
		cost += 300 + len(f.Target)
		for key, value := range f.Xattrs {
			cost += 100 + len(key) + len(value)
		}
	}
	w.d.Changes = append(w.d.Changes, x)
	return w.take(int64(cost))
}

// both compares a path that both sides have.
func (w *fileComparer) both(f, t imagefs.File) error {
	same := f.Member() >= 0 && f.Member() == t.Member() && w.fromLayers[f.Layer()].Digest == w.toLayers[t.Layer()].Digest
	if same && f.Link == t.Link {
		return nil
	}
	x := FileDifference{Path: f.Path, Change: "changed"}
	var doubt *fileDoubt
	if f.Link != t.Link {
		x.What = append(x.What, "hardlink")
	}
	switch {
	case same, f.Link != "" && f.Link == t.Link: // that is said of the first path
	case f.Type() != t.Type():
		x.What = []string{"type"}
	default:
		x.What = append(x.What, w.attributes(f, t)...)
		doubt = w.content(f, t, &x.What)
	}
	if len(x.What) == 0 && doubt == nil {
		return nil
	}
	if doubt != nil {
		doubt.at = len(w.d.Changes)
		w.doubts = append(w.doubts, *doubt)
	}
	x.From, x.To = w.facts(f), w.facts(t)
	return w.note(x, x.From, x.To)
}

// attributes lists what differs apart from bytes. A directory that no layer lists has
// no time.
func (w *fileComparer) attributes(f, t imagefs.File) []string {
	var what []string
	add := func(word string, differs bool) {
		if differs && !w.o.Ignore.any(word) {
			what = append(what, word)
		}
	}
	fu, fg := f.Owner()
	tu, tg := t.Owner()
	fMajor, fMinor := f.Device()
	tMajor, tMinor := t.Device()
	add("mode", f.Permissions() != t.Permissions() && f.Type() != "symlink")
	add("owner", fu != tu || fg != tg)
	add("time", f.Listed() && t.Listed() && !f.ModTime().Equal(t.ModTime()))
	add("target", f.Type() == "symlink" && f.Target() != t.Target())
	add("device", fMajor != tMajor || fMinor != tMinor)
	add("xattrs", !maps.EqualFunc(f.Xattrs(), t.Xattrs(), func(a, b []byte) bool { return string(a) == string(b) }))
	return what
}

// content compares sizes, and says if the bytes must be read.
func (w *fileComparer) content(f, t imagefs.File, what *[]string) *fileDoubt {
	switch {
	case f.Type() != "file" || w.o.Ignore.any("content"):
	case f.Length() != t.Length():
		*what = append(*what, "size", "content")
	case f.Length() > 0:
		return &fileDoubt{from: bodyOf(w.from, f), to: bodyOf(w.to, t)}
	}
	return nil
}

// bodyOf is the number of a file's bytes, those of a hard link under its first path.
func bodyOf(t *imagefs.Tree, f imagefs.File) int {
	if f.Link == "" {
		return f.Body
	}
	first, err := t.Lookup(f.Link, false)
	if err != nil {
		return -1 // the tree has the path: it said so
	}
	return first.Body
}

// contents reads the bytes of the files in doubt, on each side those layers alone that
// have some.
func (w *fileComparer) contents(ctx context.Context) error {
	if len(w.doubts) == 0 {
		return nil
	}
	from, to := map[int][sha256.Size]byte{}, map[int][sha256.Size]byte{}
	for _, doubt := range w.doubts {
		from[doubt.from], to[doubt.to] = [sha256.Size]byte{}, [sha256.Size]byte{}
	}
	if err := hashBodies(ctx, w.comparer.from, w.from, from); err != nil {
		return err
	}
	if err := hashBodies(ctx, w.comparer.to, w.to, to); err != nil {
		return err
	}
	for _, doubt := range w.doubts {
		if from[doubt.from] != to[doubt.to] {
			x := &w.d.Changes[doubt.at]
			x.What = append(x.What, "content")
		}
	}
	return nil
}

// hashBodies fills in the hashes of the bodies that are keys of sums.
func hashBodies(ctx context.Context, f content.Fetcher, t *imagefs.Tree, sums map[int][sha256.Size]byte) error {
	var mu sync.Mutex
	wanted := maps.Clone(sums)
	return t.SomeBodies(ctx, f, func(body int) bool { _, ok := wanted[body]; return ok }, func(body int, r io.Reader) error {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sums[body] = [sha256.Size]byte(h.Sum(nil))
		return nil
	})
}

// finish drops files whose bytes turned out to be the same, and counts the others.
func (w *fileComparer) finish() {
	kept := w.d.Changes[:0]
	for _, x := range w.d.Changes {
		switch {
		case x.Change == "added":
			w.d.Added++
		case x.Change == "removed":
			w.d.Removed++
		case len(x.What) == 0:
			continue
		default:
			w.d.Changed++
		}
		kept = append(kept, x)
	}
	clear(w.d.Changes[len(kept):])
	w.d.Changes = kept
}

// facts copies what is known of a file, so that its tree need not be kept.
func (w *fileComparer) facts(f imagefs.File) *ComparedFile {
	uid, gid := f.Owner()
	x := &ComparedFile{
		Type: f.Type(), Mode: fmt.Sprintf("%04o", f.Permissions()), UID: uid, GID: gid, Size: f.Length(),
		Time: f.ModTime().UTC().Format(time.RFC3339Nano), Layer: f.Layer() + 1, Hardlink: strings.Clone(f.Link), Xattrs: f.Xattrs(),
	}
	switch x.Type {
	case "symlink":
		x.Target = f.Target()
	case "char", "block":
		major, minor := f.Device()
		x.Device = []int64{major, minor}
	}
	return x
}
