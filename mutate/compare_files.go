package mutate

import (
	"context"
	"crypto/sha256"
	"errors"
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

// How files were compared.
const (
	FilesSame       = "same layers" // so that none was read
	FilesCompared   = "compared"
	FilesUnreadable = "unreadable" // some layer is of a form that nobody here reads, or absent
)

// A FilesDifference compares the files of two images as containers see them.
type FilesDifference struct {
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"` // why they are unreadable
	// Added, Removed and Changed are how many of each are in Changes.
	Added   int              `json:"added"`
	Removed int              `json:"removed"`
	Changed int              `json:"changed"`
	Changes []FileDifference `json:"changes"`
}

// A FileDifference is a path that is not the same on both sides.
type FileDifference struct {
	Path   string `json:"path"`
	Change string `json:"change"` // "added", "removed" or "changed"
	// What has changed: "type", "mode", "owner", "size", "time", "content", "target",
	// "hardlink", "xattrs", "device". If the type has, nothing else is looked at.
	What []string `json:"what,omitempty"`
	// From and To are the file; one is nil if only the other is there.
	From *ComparedFile `json:"from,omitempty"`
	To   *ComparedFile `json:"to,omitempty"`
}

// A ComparedFile is what is known of a file. Size is that of what is read from it.
type ComparedFile struct {
	Type     string            `json:"type"`
	Mode     string            `json:"mode"` // octal
	UID      int               `json:"uid"`
	GID      int               `json:"gid"`
	Size     int64             `json:"size"`
	Time     string            `json:"mtime"`
	Layer    int               `json:"layer"` // from 1
	Target   string            `json:"target,omitempty"`
	Hardlink string            `json:"hardlink,omitempty"`
	Device   []int64           `json:"device,omitempty"`
	Xattrs   map[string][]byte `json:"xattrs,omitempty"`
}

// files compares the files of two images. If all layers are the same, changed is
// false and nothing is read.
func (c *comparer) files(ctx context.Context, a, b *comparedManifest, changed bool) (*FilesDifference, error) {
	if c.o.Ignore.any("files") {
		return nil, nil
	}
	d := &FilesDifference{State: FilesCompared, Changes: []FileDifference{}}
	if !changed {
		d.State = FilesSame
		return d, nil
	}
	var stacks [2]imagefs.Stack
	for i, m := range []*comparedManifest{a, b} {
		layers, err := m.layersOf()
		if err != nil {
			return nil, content.AtDigest(m.desc.Digest, err)
		}
		stacks[i] = imagefs.Stack{Fetcher: m.store, Layers: layers}
	}
	from, to, err := imagefs.BuildPair(ctx, stacks[0], stacks[1], c.o.Limits)
	if reason := unreadable(err, a, b); reason != "" {
		d.State, d.Reason = FilesUnreadable, reason
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	w := fileComparer{comparer: c, d: d, from: from, to: to, fromLayers: stacks[0].Layers, toLayers: stacks[1].Layers}
	if err := w.walk(); err != nil {
		return nil, err
	}
	if err := w.contents(ctx); err != nil {
		return nil, err
	}
	w.finish()
	return d, nil
}

// unreadable tells why layers could not be read, if the images are whole all the same.
func unreadable(err error, images ...*comparedManifest) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, content.ErrUnsupported):
		return err.Error()
	case !errors.Is(err, content.ErrMissing):
		return ""
	}
	for _, m := range images {
		for _, l := range m.m.Layers {
			if content.IsForeign(l.MediaType) {
				return err.Error()
			}
		}
	}
	return ""
}

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
			order = comparePaths(f.Path, t.Path)
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

// comparePaths orders paths as a tree lists them: a directory before what is in it, and
// siblings by their names.
func comparePaths(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == ".":
		return -1
	case b == ".":
		return 1
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	switch {
	case i == len(a):
		return -1
	case i == len(b):
		return 1
	case a[i] == '/':
		return -1
	case b[i] == '/':
		return 1
	}
	return int(a[i]) - int(b[i])
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
