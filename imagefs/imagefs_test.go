package imagefs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// store is layers in memory.
type store build.Blobs

func (s store) Fetch(_ context.Context, d content.Descriptor) (io.ReadCloser, error) {
	data, ok := s[d.Digest]
	if !ok {
		return nil, content.AtDigest(d.Digest, content.ErrNotFound)
	}
	return content.Verify(io.NopCloser(bytes.NewReader(data)), d), nil
}

// stack puts plain layers into a store, compressed in turn in each way.
func stack(plain ...[]byte) (store, []imagefs.Layer) {
	s := store{}
	var layers []imagefs.Layer
	types := []string{ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd}
	for i, data := range plain {
		d := build.Blobs(s).Put(types[i%3], build.Compress([]string{"none", "gzip", "zstd"}[i%3], data))
		layers = append(layers, imagefs.Layer{Descriptor: d, DiffID: build.Descriptor("", data).Digest})
	}
	return s, layers
}

func of(files ...build.File) []byte { return build.Tar(files...) }

func text(name string) build.File { return build.Text(name, name) }

// listing shows a tree in a line a file: its path, a mark of its type, what it
// links to, or what is in it.
func listing(t *testing.T, s store, layers []imagefs.Layer) ([]string, error) {
	t.Helper()
	ctx := context.Background()
	tree, err := imagefs.Build(ctx, s, layers, content.Limits{})
	if err != nil {
		return nil, err
	}
	bodies := make([]string, tree.Len())
	var mu sync.Mutex
	err = tree.Bodies(ctx, s, func(body int, r io.Reader) error {
		data, err := io.ReadAll(r)
		mu.Lock()
		defer mu.Unlock()
		if bodies[body] != "" {
			t.Errorf("body %d comes twice", body)
		}
		bodies[body] = string(data)
		return err
	})
	var lines []string
	for f := range tree.Files() {
		h := f.Header()
		line := h.Name
		switch h.Typeflag {
		case tar.TypeSymlink:
			line += " -> " + h.Linkname
		case tar.TypeLink:
			line += " = " + h.Linkname
		case tar.TypeReg:
			if f.Body >= 0 {
				line += ": " + bodies[f.Body]
				if int64(len(bodies[f.Body])) != f.Size() {
					t.Errorf("%s has %d bytes, its header says %d", f.Path, len(bodies[f.Body]), f.Size())
				}
			}
		}
		lines = append(lines, line)
	}
	return lines, err
}

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		layers [][]byte
		want   []string
	}{
		{"no layers", nil, nil},
		{"parents that are not listed", [][]byte{of(text("a/b/c"))}, []string{"a/", "a/b/", "a/b/c: a/b/c"}},
		{"the root", [][]byte{of(build.Dir("."), text("a"))}, []string{"./", "a: a"}},
		{"an absolute name", [][]byte{of(text("/a"), text("./b"))}, []string{"a: /a", "b: ./b"}},
		{"a slash too many", [][]byte{of(build.File{Name: "a//", Type: tar.TypeDir}, text("a/b"))}, []string{"a/", "a/b: a/b"}},
		{"the last of one name", [][]byte{of(build.Text("a", "1"), build.Text("a", "2"))}, []string{"a: 2"}},
		{"an upper file", [][]byte{of(build.Text("a", "1")), of(build.Text("a", "2"))}, []string{"a: 2"}},
		{"an empty file", [][]byte{of(build.Text("a", ""))}, []string{"a"}},

		{"whiteout", [][]byte{of(text("d/a"), text("d/b")), of(text("d/.wh.a"))}, []string{"d/", "d/b: d/b"}},
		{"whiteout of a directory", [][]byte{of(text("d/a"), text("e")), of(text(".wh.d"))}, []string{"e: e"}},
		{"whiteout of nothing", [][]byte{of(text("a")), of(text("x/.wh.y"))}, []string{"a: a"}},
		{"whiteout before its file", [][]byte{of(build.Text("a", "1")), of(text(".wh.a"), build.Text("a", "2"))}, []string{"a: 2"}},
		{"whiteout after its file", [][]byte{of(build.Text("a", "1")), of(build.Text("a", "2"), text(".wh.a"))}, []string{"a: 2"}},
		{"whiteout in the lowest layer", [][]byte{of(text("a"), text(".wh.a"))}, []string{"a: a"}},
		{"whiteout of a directory and a file in it", [][]byte{of(text("d/a")), of(text(".wh.d"), text("d/b"))}, []string{"d/", "d/b: d/b"}},
		{"back in a third layer", [][]byte{of(build.Text("a", "1")), of(text(".wh.a")), of(build.Text("a", "3"))}, []string{"a: 3"}},
		{"whiteout below a file", [][]byte{of(text("a")), of(text("a/.wh.b"))}, []string{"a: a"}},

		{"opaque", [][]byte{of(text("d/a"), text("d/e/f"), text("g")), of(build.Dir("d"), text("d/.wh..wh..opq"), text("d/b"))},
			[]string{"d/", "d/b: d/b", "g: g"}},
		{"opaque after its siblings", [][]byte{of(text("d/a")), of(text("d/b"), text("d/.wh..wh..opq"))}, []string{"d/", "d/b: d/b"}},
		{"opaque root", [][]byte{of(text("a"), text("d/b")), of(text(".wh..wh..opq"), text("c"))}, []string{"c: c"}},
		{"opaque directory instead of a link", [][]byte{of(text("real/a"), build.Symlink("d", "real")), of(build.Dir("d"), text("d/.wh..wh..opq"))},
			[]string{"d/", "real/", "real/a: real/a"}},
		{"aufs's own files", [][]byte{of(text("a"), text(".wh..wh.plnk/1"), text(".wh..wh.aufs"))}, []string{"a: a"}},

		{"file over directory", [][]byte{of(text("d/a")), of(text("d"))}, []string{"d: d"}},
		{"directory over file", [][]byte{of(text("d")), of(build.Dir("d"), text("d/a"))}, []string{"d/", "d/a: d/a"}},
		{"directory over directory", [][]byte{of(text("d/a")), of(build.Dir("d"))}, []string{"d/", "d/a: d/a"}},
		{"directory over link", [][]byte{of(text("real/a"), build.Symlink("d", "real")), of(build.Dir("d"), text("d/b"))},
			[]string{"d/", "d/b: d/b", "real/", "real/a: real/a"}},
		{"file where a directory is needed", [][]byte{of(text("d")), of(text("d/a"))}, []string{"d/", "d/a: d/a"}},
		{"link over file", [][]byte{of(text("a")), of(build.Symlink("a", "b"))}, []string{"a -> b"}},

		{"through a link", [][]byte{of(build.Dir("usr/lib"), build.Symlink("lib", "usr/lib")), of(text("lib/a"))},
			[]string{"lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/a: lib/a"}},
		{"through an absolute link", [][]byte{of(build.Symlink("x/lib", "/usr/lib")), of(text("x/lib/a"))},
			[]string{"usr/", "usr/lib/", "usr/lib/a: x/lib/a", "x/", "x/lib -> /usr/lib"}},
		{"through a link that leads out", [][]byte{of(build.Symlink("x/lib", "../../../../etc")), of(text("x/lib/a"))},
			[]string{"etc/", "etc/a: x/lib/a", "x/", "x/lib -> ../../../../etc"}},
		{"whiteout through a link", [][]byte{of(text("usr/lib/a"), text("usr/lib/b"), build.Symlink("lib", "usr/lib")), of(text("lib/.wh.a"))},
			[]string{"lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/b: usr/lib/b"}},
		{"whiteout below a directory that replaces a link", [][]byte{of(text("real/s/a"), build.Symlink("d", "real")), of(build.Dir("d"), text("d/s/.wh.a"))},
			[]string{"d/", "real/", "real/s/", "real/s/a: real/s/a"}},

		{"hard link", [][]byte{of(text("b"), build.Hardlink("a", "b"), build.Hardlink("c", "a"))}, []string{"a: b", "b = a", "c = a"}},
		{"hard link across layers", [][]byte{of(text("a")), of(build.Hardlink("b", "a"))}, []string{"a: a", "b = a"}},
		{"hard link whose target is replaced", [][]byte{of(build.Text("a", "1"), build.Hardlink("b", "a")), of(build.Text("a", "2"))},
			[]string{"a: 2", "b: 1"}},
		{"hard link whose target is gone", [][]byte{of(build.Text("a", "1"), build.Hardlink("b", "a"), build.Hardlink("c", "a")), of(text(".wh.a"))},
			[]string{"b: 1", "c = b"}},
		{"hard link to itself", [][]byte{of(text("a"), build.Hardlink("a", "a"))}, []string{"a: a"}},
		{"hard link to a link", [][]byte{of(build.Symlink("a", "x"), build.Hardlink("b", "a"))}, []string{"a -> x", "b = a"}},
		{"hard link to an empty file", [][]byte{of(build.Text("a", ""), build.Hardlink("b", "a"))}, []string{"a", "b = a"}},
		{"hard link through a link", [][]byte{of(text("usr/lib/a"), build.Symlink("lib", "usr/lib"), build.Hardlink("b", "lib/a"))},
			[]string{"b: usr/lib/a", "lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/a = b"}},

		{"order", [][]byte{of(text("b"), text("a/x"), text("a-b"), text("a.b"))}, []string{"a/", "a/x: a/x", "a-b: a-b", "a.b: a.b", "b: b"}},
		{"a layer twice", [][]byte{of(text("a")), of(text(".wh.a")), of(text("b")), of(text("a"))}, []string{"a: a", "b: b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, layers := stack(tt.layers...)
			got, err := listing(t, s, layers)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// refusals are layers that no image may have.
var refusals = []struct {
	name string
	tar  []byte
	want error
}{
	{"a name that leads out", of(text("../a")), content.ErrRefused},
	{"a name that leads out later", of(text("a/../../b")), content.ErrRefused},
	{"a hard link to nothing", of(build.Hardlink("a", "b")), content.ErrCorrupt},
	{"a hard link to a directory", of(build.Dir("d"), build.Hardlink("a", "d")), content.ErrCorrupt},
	{"a hard link that leads out", of(build.Hardlink("a", "../b")), content.ErrRefused},
	{"a loop of links", of(build.Symlink("a", "b"), build.Symlink("b", "a"), text("a/x")), content.ErrCorrupt},
	{"links that grow", of(build.Symlink("a", strings.Repeat("a/", 2000)), text("a/x")), content.ErrCorrupt},
	{"a root that is a file", of(build.Symlink(".", "x")), content.ErrCorrupt},
	{"no tar", bytes.Repeat([]byte("x"), 2000), content.ErrCorrupt},
	{"cut off", of(build.File{Name: "a", Body: make([]byte, 5000)})[:1000], content.ErrCorrupt},
}

func TestRefused(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			s, layers := stack(tt.tar)
			if got, err := listing(t, s, layers); !errors.Is(err, tt.want) {
				t.Errorf("got %q, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// TestVerdicts: a layer is proven on each pass.
func TestVerdicts(t *testing.T) {
	s, layers := stack(of(text("a")), of(build.File{Name: "b", Body: build.Random(1, 100000)}))
	ctx := context.Background()
	tree, err := imagefs.Build(ctx, s, layers, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data := s[layers[1].Digest]
	data[len(data)/2] ^= 1
	discard := func(_ int, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
	if err := tree.Bodies(ctx, s, discard); !errors.Is(err, content.ErrDigest) {
		t.Errorf("a second pass over a layer that has changed: %v", err)
	}
	if _, err := imagefs.Build(ctx, s, layers, content.Limits{}); !errors.Is(err, content.ErrDigest) {
		t.Errorf("a corrupt layer: %v", err)
	}
	delete(s, layers[0].Digest)
	if _, err := imagefs.Build(ctx, s, layers[:1], content.Limits{}); !errors.Is(err, content.ErrMissing) {
		t.Errorf("an absent layer: %v", err)
	}
	for name, edit := range map[string]func(*imagefs.Layer){
		"media type": func(l *imagefs.Layer) { l.MediaType += "+encrypted" },
		"diffID":     func(l *imagefs.Layer) { l.DiffID = "blake3:" + content.Digest(strings.Repeat("0", 64)) },
	} {
		s, layers := stack(of(text("a")))
		edit(&layers[0])
		if _, err := imagefs.Build(ctx, s, layers, content.Limits{}); !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLayers(t *testing.T) {
	_, layers := stack(of(text("a")))
	if _, err := imagefs.Layers([]content.Descriptor{layers[0].Descriptor}, nil); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a layer too many: %v", err)
	}
	if _, err := imagefs.Layers([]content.Descriptor{layers[0].Descriptor}, []content.Digest{"sha256:x"}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a diffID that is none: %v", err)
	}
}

// FuzzMerge: two layers of any bytes give an error or a tree whose files, packed
// as one layer, give the same tree.
func FuzzMerge(f *testing.F) {
	f.Add(of(text("d/a"), build.Hardlink("b", "d/a")), of(text("d/.wh.a"), build.Symlink("e", "d"), text("e/x")))
	f.Add(of(build.Dir("."), build.Symlink("d", "/")), of(text("d/.wh..wh..opq"), text("d/d/y")))
	f.Add(of(build.File{Name: "c", Type: tar.TypeChar, Major: 1}), of(text(".wh..wh.plnk")))
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		s, layers := stack(lower, upper)
		first, err := listing(t, s, layers)
		if err != nil {
			return
		}
		tree, err := imagefs.Build(context.Background(), s, layers, content.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		bodies := make([][]byte, tree.Len())
		if err := tree.Bodies(context.Background(), s, func(body int, r io.Reader) (err error) {
			bodies[body], err = io.ReadAll(r)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for file := range tree.Files() {
			if w.WriteHeader(file.Header()) != nil {
				return // a header that was read and can't be written, such as one with an odd time
			}
			if file.Body >= 0 {
				if _, err := w.Write(bodies[file.Body]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s, layers = stack(out.Bytes())
		second, err := listing(t, s, layers)
		if err != nil {
			t.Fatalf("%q: %v", first, err)
		}
		if !slices.Equal(first, second) {
			t.Errorf("first  %q\nsecond %q", first, second)
		}
	})
}

// countingStore counts how often each blob is opened.
type countingStore struct {
	store
	mu     sync.Mutex
	opened map[content.Digest]int
}

func (s *countingStore) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened[d.Digest]++
	return s.store.Fetch(ctx, d)
}

// TestBuildPair: both trees are those of Build, what the images share is read once, and
// of bodies only layers that hold wanted ones.
func TestBuildPair(t *testing.T) {
	ctx := context.Background()
	s, layers := stack(of(text("a"), text("b"), build.Hardlink("c", "a")), of(text("b")), of(text("d"), build.Text(".wh.a", "")))
	counting := &countingStore{store: s, opened: map[content.Digest]int{}}
	first := imagefs.Stack{Fetcher: counting, Layers: layers[:2]}
	second := imagefs.Stack{Fetcher: counting, Layers: []imagefs.Layer{layers[0], layers[0], layers[2]}}
	a, b, err := imagefs.BuildPair(ctx, first, second, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		if n := counting.opened[l.Digest]; n != 1 {
			t.Errorf("layer %s read %d times", l.Digest, n)
		}
	}
	for i, tree := range []*imagefs.Tree{a, b} {
		alone, err := imagefs.Build(ctx, s, []imagefs.Stack{first, second}[i].Layers, content.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, want := slices.Collect(tree.Files()), slices.Collect(alone.Files())
		if len(got) != len(want) {
			t.Fatalf("tree %d has %d files, want %d", i, len(got), len(want))
		}
		for n := range got {
			x, y := got[n], want[n]
			if x.Path != y.Path || x.Link != y.Link || x.Body != y.Body || x.Layer() != y.Layer() || x.Member() != y.Member() {
				t.Errorf("tree %d: %+v, want %+v", i, x, y)
			}
		}
	}
	clear(counting.opened)
	d, err := b.Lookup("d", false)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	err = b.SomeBodies(ctx, counting, func(body int) bool { return body == d.Body }, func(_ int, r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	if err != nil || string(got) != "d" || len(counting.opened) != 1 || counting.opened[layers[2].Digest] != 1 {
		t.Errorf("bodies: %q, %v, opened %v", got, err, counting.opened)
	}
	if _, _, err := imagefs.BuildPair(ctx, first, second, content.Limits{Tree: 1500}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("more than the room for both: %v", err)
	}
}
