package catalog_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// filled is a world of 40 manifests, all led to, and its catalog.
func filled(t *testing.T) (*world, catalog.Catalog) {
	t.Helper()
	w := newWorld()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		w.make(rng, i)
		w.roots = append(w.roots, catalog.Root{Ref: refTo(i, typeOfNumber(i))})
	}
	c := catalog.Catalog{Dir: t.TempDir(), NoSync: true}
	refresh(t, c, w)
	return w, c
}

func refresh(t *testing.T, c catalog.Catalog, w *world) {
	t.Helper()
	if err := c.Refresh(t.Context(), w.state, w); err != nil {
		t.Fatal(err)
	}
}

// reads counts the manifests that fn reads.
func (w *world) counted(fn func()) int64 {
	before := w.reads.Load()
	fn()
	return w.reads.Load() - before
}

func TestRefreshReadsWhatIsNew(t *testing.T) {
	w, c := filled(t)
	if n := w.counted(func() { refresh(t, c, w) }); n != 0 {
		t.Errorf("with no change %d manifests are read", n)
	}
	w.make(rand.New(rand.NewPCG(3, 4)), 41) // no index: it leads nowhere
	w.roots = append(w.roots[1:], catalog.Root{Ref: refTo(41, typeOfNumber(41))})
	w.state.Index.Ino++
	if n := w.counted(func() { refresh(t, c, w) }); n != 1 {
		t.Errorf("for one new manifest %d are read", n)
	}
	compare(t, stored(t, c, w), computed(t, w))
}

// TestRefreshFillsHoles: what was absent is looked for again when blobs came.
func TestRefreshFillsHoles(t *testing.T) {
	w, c := filled(t)
	w.roots = append(w.roots, catalog.Root{Ref: refTo(50, typeOfNumber(50))})
	w.tick()
	refresh(t, c, w)
	w.make(rand.New(rand.NewPCG(5, 6)), 50)
	w.state.Blobs[0].Ino++
	if _, err := c.Open(w.state, false); !errors.Is(err, catalog.ErrStale) {
		t.Errorf("Open after a blob came: %v", err)
	}
	const lies = 3 // roots with a wrong size
	if n := w.counted(func() { refresh(t, c, w) }); n != lies+1 {
		t.Errorf("%d manifests are read for one", n-lies)
	}
	compare(t, stored(t, c, w), computed(t, w))
}

// TestYoungIndexIsReadAgain: a file that changed less than 2 s before it was looked
// at may change again without another stamp.
func TestYoungIndexIsReadAgain(t *testing.T) {
	w, c := filled(t)
	w.state.At = time.Now()
	w.state.Index = durable.Stamp{Ino: 77, MtimeNs: w.state.At.UnixNano()}
	refresh(t, c, w)
	if s, err := c.Open(w.state, true); err != nil {
		t.Errorf("Open right after Refresh: %v", err)
	} else {
		s.Close()
	}
	if _, err := c.Open(w.state, false); !errors.Is(err, catalog.ErrStale) {
		t.Errorf("Open later: %v", err)
	}
	w.roots = w.roots[10:] // with the same stamp
	w.state.At = w.state.At.Add(3 * time.Second)
	refresh(t, c, w)
	compare(t, stored(t, c, w), computed(t, w))
	w.state.At = w.state.At.AddDate(-10, 0, 0) // the clock was put back
	w.state.Index.Ino++
	refresh(t, c, w)
	if _, err := c.Open(w.state, false); !errors.Is(err, catalog.ErrStale) {
		t.Errorf("Open of what was looked at before it changed: %v", err)
	}
}

// TestWrongFilesAreBuiltAgain: whatever was done to the files, the answers are
// right after a Refresh, and before it there are none.
func TestWrongFilesAreBuiltAgain(t *testing.T) {
	path := func(c catalog.Catalog, name string) string { return filepath.Join(c.Dir, name) }
	change := func(name string, edit func([]byte) []byte) func(*testing.T, catalog.Catalog) {
		return func(t *testing.T, c catalog.Catalog) {
			data, err := os.ReadFile(path(c, name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path(c, name), edit(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	cases := map[string]func(*testing.T, catalog.Catalog){
		"no seal":       func(t *testing.T, c catalog.Catalog) { c.Discard() },
		"no file":       func(t *testing.T, c catalog.Catalog) { must(t, os.Remove(path(c, "catalog"))) },
		"empty":         change("catalog", func([]byte) []byte { return nil }),
		"cut":           change("catalog", func(b []byte) []byte { return b[:len(b)/2] }),
		"cut to a page": change("catalog", func(b []byte) []byte { return b[:4096] }),
		"longer":        change("catalog", func(b []byte) []byte { return append(b, make([]byte, 4096)...) }),
		"touched":       change("catalog", func(b []byte) []byte { return b }),
		"seal cut":      change("catalog.seal", func(b []byte) []byte { return b[:len(b)-1] }),
		"seal of another version": change("catalog.seal", func(b []byte) []byte {
			b[0]++
			return b
		}),
		"a directory": func(t *testing.T, c catalog.Catalog) {
			must(t, os.Remove(path(c, "catalog.seal")))
			must(t, os.Mkdir(path(c, "catalog.seal"), 0o755))
		},
		"copied": func(t *testing.T, c catalog.Catalog) {
			data, err := os.ReadFile(path(c, "catalog"))
			must(t, err)
			info, err := os.Stat(path(c, "catalog"))
			must(t, err)
			must(t, os.Remove(path(c, "catalog")))
			must(t, os.WriteFile(path(c, "catalog"), data, 0o644))
			must(t, os.Chtimes(path(c, "catalog"), time.Time{}, info.ModTime()))
		},
		"a link": func(t *testing.T, c catalog.Catalog) {
			must(t, os.Rename(path(c, "catalog"), path(c, "elsewhere")))
			must(t, os.Symlink("elsewhere", path(c, "catalog")))
		},
		"a torn build": func(t *testing.T, c catalog.Catalog) {
			c.Discard()
			must(t, os.WriteFile(path(c, "catalog.new"), []byte("half"), 0o644))
			must(t, os.WriteFile(path(c, "catalog.spill"), []byte("half"), 0o644))
		},
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			w, c := filled(t)
			damage(t, c)
			if s, err := c.Open(w.state, false); err == nil {
				s.Close()
				t.Error("is opened all the same")
			}
			if name == "a directory" { // in the way of a seal: there is no catalog here
				if err := c.Refresh(t.Context(), w.state, w); err == nil {
					t.Error("Refresh says that all is well")
				}
				return
			}
			refresh(t, c, w)
			compare(t, stored(t, c, w), computed(t, w))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFlippedBits flips each of many bits behind the back of the seal, as a failing
// disk would: never a crash, and what is answered comes from what was written.
func TestFlippedBits(t *testing.T) {
	w, c := filled(t)
	file := filepath.Join(c.Dir, "catalog")
	data, err := os.ReadFile(file)
	must(t, err)
	rng := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		must(t, err)
		at := rng.Int64N(int64(min(len(data), 64<<10)))
		_, err = f.WriteAt([]byte{data[at] ^ 1<<rng.IntN(8)}, at)
		must(t, err)
		must(t, f.Close())
		if s, err := c.Open(w.state, false); err == nil {
			s.Close()
			t.Fatal("a file that was touched is opened")
		}
		must(t, os.WriteFile(file, data, 0o644))
	}
	refresh(t, c, w)
	compare(t, stored(t, c, w), computed(t, w))
}

func TestOthersAreNotWaitedFor(t *testing.T) {
	w, c := filled(t)
	lock, err := durable.TryLock(filepath.Join(c.Dir, "catalog.lock"), false)
	must(t, err)
	w.tick()
	if err := c.Refresh(t.Context(), w.state, w); !errors.Is(err, catalog.ErrUnusable) {
		t.Errorf("Refresh beside a writer: %v", err)
	}
	must(t, lock.Unlock())
	refresh(t, c, w)
	s, err := c.Open(w.state, false)
	must(t, err)
	before := w.state
	w.state.Index.Ino++
	if err := c.Apply(t.Context(), before, w.state, nil, nil, w); !errors.Is(err, catalog.ErrUnusable) {
		t.Errorf("Apply beside a reader: %v", err)
	}
	s.Close()
	must(t, c.Apply(t.Context(), before, w.state, nil, nil, w))
	compare(t, stored(t, c, w), computed(t, w))
}

func TestApplyWantsTheStateBefore(t *testing.T) {
	w, c := filled(t)
	w.tick() // a foreign change
	before := w.state
	w.tick()
	if err := c.Apply(t.Context(), before, w.state, nil, w.roots[:1], w); !errors.Is(err, catalog.ErrStale) {
		t.Errorf("Apply: %v", err)
	}
}

// TestOwnChange: a file that was written, and renamed into place later, can't be
// changed by others without a trace; but what may have been missed before still is.
func TestOwnChange(t *testing.T) {
	for _, doubt := range []bool{false, true} {
		w, c := filled(t)
		at := time.Now()
		if doubt {
			w.state.At = at
			w.state.Index = durable.Stamp{Ino: 1, MtimeNs: at.UnixNano()}
			refresh(t, c, w)
		}
		before := w.state
		w.state = catalog.State{At: at, Own: true, Blobs: before.Blobs, Index: durable.Stamp{Ino: 2, MtimeNs: at.UnixNano() - 1e6, CtimeNs: at.UnixNano()}}
		gone := w.roots[0]
		w.roots = w.roots[1:]
		must(t, c.Apply(t.Context(), before, w.state, nil, []catalog.Root{gone}, w))
		s, err := c.Open(w.state, false)
		if doubt != errors.Is(err, catalog.ErrStale) {
			t.Errorf("Open: %v", err)
		}
		if err == nil {
			compare(t, answers(t, s.Facts), computed(t, w))
			s.Close()
		}
	}
}

func TestComputeStopsAtItsLimit(t *testing.T) {
	w, _ := filled(t)
	if _, err := catalog.Compute(t.Context(), w, 10, content.Limits{}); !errors.Is(err, catalog.ErrLarge) {
		t.Errorf("more roots than wanted: %v", err)
	}
	list := content.Manifest{MediaType: ocispec.MediaTypeImageIndex}
	for i := range 40 {
		list.Manifests = append(list.Manifests, descriptor(i, typeOfNumber(i)))
	}
	w.manifests[name(57)] = list
	w.roots = []catalog.Root{{Ref: refTo(57, ocispec.MediaTypeImageIndex)}}
	if _, err := catalog.Compute(t.Context(), w, 10, content.Limits{}); !errors.Is(err, catalog.ErrLarge) {
		t.Errorf("more children than wanted: %v", err)
	}
}

// TestBuildSpills builds what does not fit into the sorters' memory.
func TestBuildSpills(t *testing.T) {
	w := newWorld()
	const lists, each = 60, 1000
	for i := range lists {
		list := content.Manifest{MediaType: ocispec.MediaTypeImageIndex}
		for j := range each {
			n := 100_000 + i*each + j
			child := catalog.Ref{Digest: name(n), MediaType: ocispec.MediaTypeImageManifest, Size: 100}
			subject := descriptor(i, "")
			w.manifests[child.Digest] = content.Manifest{MediaType: child.MediaType, Subject: &subject}
			list.Manifests = append(list.Manifests, child.Descriptor())
			if j%2 == 0 {
				w.roots = append(w.roots, catalog.Root{Ref: child})
			}
		}
		ref := catalog.Ref{Digest: name(90_000 + i), MediaType: ocispec.MediaTypeImageIndex, Size: 100}
		w.manifests[ref.Digest] = list
		w.roots = append(w.roots, catalog.Root{Ref: ref, Form: catalog.Fallback, About: name(i).String()})
	}
	c := catalog.Catalog{Dir: t.TempDir(), NoSync: true}
	if n := w.counted(func() { refresh(t, c, w) }); n != lists*(each+1) {
		t.Errorf("%d manifests are read, want each of %d once", n, lists*(each+1))
	}
	compare(t, stored(t, c, w), computed(t, w))
	before, err := os.Stat(filepath.Join(c.Dir, "catalog"))
	must(t, err)
	w.tick()
	if n := w.counted(func() { refresh(t, c, w) }); n != 0 {
		t.Errorf("with nothing new %d manifests are read", n)
	}
	if after, err := os.Stat(filepath.Join(c.Dir, "catalog")); err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
		t.Errorf("with nothing new the file is written: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "catalog.[ns][ep][wi]*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
