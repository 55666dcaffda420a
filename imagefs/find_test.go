package imagefs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// counting is a store that remembers which blobs were read, and how many bytes.
type counting struct {
	store
	opened []content.Digest
	bytes  int64
}

func (c *counting) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	c.opened = append(c.opened, d.Digest)
	rc, err := c.store.Fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	return &countingBody{rc, c}, nil
}

type countingBody struct {
	io.ReadCloser
	to *counting
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.to.bytes += int64(n)
	return n, err
}

// read returns the bytes of a file as Find gives them.
func read(ctx context.Context, f content.Fetcher, layers []imagefs.Layer, path string) (string, imagefs.File, error) {
	found, err := imagefs.Find(ctx, f, layers, path, content.Limits{})
	if err != nil {
		return "", imagefs.File{}, err
	}
	rc, err := found.Open(ctx)
	if err != nil {
		return "", found.File, err
	}
	data, err := io.ReadAll(rc)
	return string(data), found.File, errors.Join(err, rc.Close())
}

func TestFindReadsNoMoreThanItMust(t *testing.T) {
	base := of(build.Dir("bin"), build.Dir("etc"), build.Dir("usr"), build.Text("etc/motd", "base"), build.Text("etc/base", "base"), build.Text("bin/sh", "base"))
	dirs := []build.File{build.Dir("etc"), build.Dir("usr"), build.Dir("usr/bin")}
	for _, tt := range []struct {
		name       string
		layers     [][]byte
		path       string
		want       string // "" for nothing there
		layersRead int
	}{
		{"in the highest layer", [][]byte{base, of(build.Text("etc/motd", "top"))}, "etc/motd", "top", 1},
		{"in the highest layer, by an absolute path", [][]byte{base, of(build.Text("etc/motd", "top"))}, "/etc/motd", "top", 1},
		{"among others", [][]byte{base, of(build.Text("app/a", "1"), build.Text("etc/motd", "top"), build.Text("app/b", "2"))}, "etc/motd", "top", 1},
		{"in a listed directory", [][]byte{base, of(append(dirs, build.Text("etc/motd", "top"), build.Symlink("etc/x", "y"))...)}, "etc/motd", "top", 1},
		{"in the middle", [][]byte{base, of(build.Text("etc/motd", "middle")), of(text("etc/x"))}, "etc/motd", "middle", 2},
		{"in the lowest", [][]byte{base, of(text("a")), of(text("b"))}, "etc/motd", "base", 3},
		{"by a link that is listed with its target", [][]byte{base, of(append(dirs, text("usr/bin/dash"), build.Symlink("usr/bin/sh", "dash"))...)}, "usr/bin/sh", "usr/bin/dash", 1},
		{"by a link to below", [][]byte{base, of(append(dirs, build.Symlink("etc/x", "base"))...)}, "etc/x", "base", 2},
		{"by a link up, from a listed directory", [][]byte{base, of(append(dirs, text("etc/y"), build.Symlink("usr/bin/x", "../../etc/y"))...)}, "usr/bin/x", "etc/y", 1},
		{"by a link up, from a directory that may be a link", [][]byte{base, of(text("etc/y"), build.Symlink("usr/bin/x", "../../etc/y"))}, "usr/bin/x", "etc/y", 2},
		{"hidden", [][]byte{base, of(build.Dir("etc"), text("etc/.wh.motd"))}, "etc/motd", "", 1},
		{"hidden in a directory that is not listed", [][]byte{base, of(text("etc/.wh.motd"))}, "etc/motd", "", 2},
		{"not in an opaque directory", [][]byte{base, of(build.Dir("etc"), text("etc/.wh..wh..opq"), text("etc/x"))}, "etc/motd", "", 1},
		{"in a directory that came back", [][]byte{base, of(text(".wh.etc"), build.Dir("etc"), text("etc/x"))}, "etc/motd", "", 1},
		{"below a file", [][]byte{base, of(build.Dir("etc"), text("etc/x"))}, "etc/x/y", "", 1},
		{"nowhere", [][]byte{base, of(text("a"))}, "etc/nothing", "", 2},
		{"a hard link to below", [][]byte{base, of(build.Hardlink("etc/x", "etc/motd"))}, "etc/x", "base", 2},
		{"a hard link within", [][]byte{base, of(text("etc/y"), build.Hardlink("etc/x", "etc/y"))}, "etc/x", "etc/y", 1},
		{"replaced through a link of the base", [][]byte{of(build.Dir("usr/bin"), build.Symlink("bin", "usr/bin")), of(append(dirs, build.Text("usr/bin/sh", "old"))...), of(build.Text("bin/sh", "new"))}, "usr/bin/sh", "new", 3},
		{"removed through a link of the base", [][]byte{of(build.Dir("usr/bin"), build.Symlink("bin", "usr/bin")), of(append(dirs, text("usr/bin/sh"))...), of(text("bin/.wh.sh"))}, "usr/bin/sh", "", 3},
		{"emptied through a link of the base", [][]byte{of(build.Dir("usr/bin"), build.Symlink("bin", "usr/bin")), of(append(dirs, text("usr/bin/sh"))...), of(text("bin/.wh..wh..opq"))}, "usr/bin/sh", "usr/bin/sh", 3},
		{"through a link of the base", [][]byte{of(build.Dir("usr/bin"), build.Symlink("bin", "usr/bin")), of(text("bin/sh"))}, "usr/bin/sh", "bin/sh", 2},
		{"where a directory took a link's place", [][]byte{of(text("real/a"), build.Symlink("d", "real")), of(text("d/x")), of(build.Dir("d"))}, "d/x", "", 3},
		{"behind a link that was moved", [][]byte{of(build.Dir("v1"), build.Dir("v2"), build.Symlink("app", "current"), build.Symlink("current", "v1")), of(text("app/x")), of(build.Symlink("current", "v2"))}, "app/x", "", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, layers := stack(tt.layers...)
			c := &counting{store: s}
			got, file, err := read(t.Context(), c, layers, tt.path)
			if got != tt.want || errors.Is(err, content.ErrNotFound) != (tt.want == "") {
				t.Errorf("got %q, %v", got, err)
			}
			slices.Sort(c.opened)
			if n := len(slices.Compact(c.opened)); n != tt.layersRead {
				t.Errorf("%d layers were opened, want %d", n, tt.layersRead)
			}
			tree, err := imagefs.Build(t.Context(), s, layers, content.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			same, err := tree.Lookup(tt.path, true)
			if (err == nil) != (tt.want != "") || err == nil && (same.Path != file.Path || same.Layer() != file.Layer()) {
				t.Errorf("found %q of layer %d; the whole image has %q, %v", file.Path, file.Layer(), same.Path, err)
			}
		})
	}
}

func TestFindLargeFiles(t *testing.T) {
	large := build.File{Name: "large", Body: build.Random(3, 2<<20)}
	s, layers := stack(of(text("below")), of(text("small"), large, text("last")))
	c := &counting{store: s}
	got, _, err := read(t.Context(), c, layers, "large")
	if err != nil || got != string(large.Body) || len(c.opened) != 2 || c.opened[0] != c.opened[1] {
		t.Errorf("%d bytes, %v, opened %v", len(got), err, c.opened)
	}
	found, err := imagefs.Find(t.Context(), s, layers, "large", content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	blob := s[layers[1].Digest]
	blob[len(blob)-1000] ^= 1
	rc, err := found.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if _, err := io.Copy(io.Discard, rc); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a layer that has changed since: %v", err)
	}
}

// TestFindProvesFirst: no byte of a layer that is not what its digest says.
func TestFindProvesFirst(t *testing.T) {
	s, layers := stack(of(text("a"), text("b")))
	s[layers[0].Digest][3] ^= 1
	if _, err := imagefs.Find(t.Context(), s, layers, "a", content.Limits{}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestFindErrors(t *testing.T) {
	s, layers := stack(of(build.Dir("d"), build.Symlink("loop", "loop"), build.Symlink("out", "../../etc/passwd"),
		build.File{Name: "dev", Type: '3', Major: 1}, build.Symlink("grow", strings.Repeat("grow/", 800))))
	for path, want := range map[string]error{
		"d": content.ErrInvalid, "/": content.ErrInvalid, "": content.ErrInvalid, "dev": content.ErrInvalid,
		"loop": content.ErrCorrupt, "grow": content.ErrCorrupt, "out": content.ErrNotFound, "../x": content.ErrNotFound,
		strings.Repeat("a/", 100000): content.ErrCorrupt,
	} {
		if _, _, err := read(t.Context(), s, layers, path); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %v", path, err, want)
		}
	}
	clear(s)
	if _, _, err := read(t.Context(), s, layers, "d"); !errors.Is(err, content.ErrMissing) {
		t.Errorf("a layer that is not there: %v", err)
	}
}

func TestFindIn(t *testing.T) {
	s, layers := stack(of(text("a")), of(build.Text("etc/motd", "two"), build.Symlink("l", "etc/motd"), build.Hardlink("h", "a"), text(".wh.x")))
	for path, want := range map[string]string{"etc/motd": "two", "l": "two", "h": "", "a": "", "x": ""} {
		found, err := imagefs.FindIn(t.Context(), s, layers[1], path, content.Limits{})
		if (err == nil) != (want != "") || err != nil && !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil {
			continue
		}
		rc, err := found.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(rc); string(data) != want || err != nil {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
}

// TestFindAgrees: what Find finds in thousands of small images is what the whole
// image has.
func TestFindAgrees(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	whole, lazy := 0, 0
	for range 1000 {
		program := make([]byte, 4*(4+r.IntN(12)))
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		n, fewer := agrees(t, program, uint16(r.Uint32()))
		whole, lazy = whole+n, lazy+fewer
		if t.Failed() {
			return
		}
	}
	if whole < 250 || lazy < 250 {
		t.Errorf("%d files were found, %d times without reading all layers: the programs are no good", whole, lazy)
	}
}

// FuzzFind is TestFindAgrees for programs that look for trouble.
func FuzzFind(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(build.Random(seed, 60), uint16(seed*977))
	}
	f.Fuzz(func(t *testing.T, program []byte, where uint16) { agrees(t, program, where) })
}

// agrees compares Find with Build and Lookup. The bytes are a program that makes
// layers of directories d*, files f* and links l*, so that no file takes a
// directory's place, where Find makes an exception. It returns how many files were
// found, and how many answers took fewer than all layers.
func agrees(t *testing.T, program []byte, where uint16) (found, lazy int) {
	s, layers, shown := program2layers(program)
	tree, err := imagefs.Build(t.Context(), s, layers, content.Limits{})
	if err != nil {
		return 0, 0
	}
	for i := range uint16(24) {
		path := fuzzPath(where+i*31, 'f')
		want, wantErr := tree.Lookup(path, true)
		c := &counting{store: s}
		got, err := imagefs.Find(t.Context(), c, layers, path, content.Limits{})
		if (err == nil) != (wantErr == nil) {
			t.Errorf("%s: %v, the whole image has %v\n%s", path, err, wantErr, shown)
		}
		if err != nil || wantErr != nil || want.Mode().IsDir() { // a link to a file, used as one to a directory
			continue
		}
		found++
		if len(c.opened) < len(layers) {
			lazy++
		}
		if got.Layer() != want.Layer() || got.Length() != want.Length() { // lengths tell files apart
			t.Errorf("%s: %s of layer %d, the whole image has %s of layer %d\n%s", path, got.Path, got.Layer(), want.Path, want.Layer(), shown)
		}
	}
	return found, lazy
}

// fuzzPath is a path of one to three parts whose last one begins with kind.
func fuzzPath(n uint16, kind byte) string {
	var parts []string
	for range n % 3 {
		n = n / 3
		parts = append(parts, []string{"d0", "d1", "l0", "l1", "l2"}[n%5])
		n = n / 5
	}
	return strings.Join(append(parts, fmt.Sprintf("%c%d", kind, n%3)), "/")
}

func program2layers(program []byte) (store, []imagefs.Layer, string) {
	var plain [][]byte
	var files []build.File
	var shown bytes.Buffer
	for len(program) >= 4 && len(plain) < 4 {
		op, n, target := program[0], uint16(program[1])<<8|uint16(program[2]), uint16(program[3])*257
		program = program[4:]
		var f build.File
		switch op % 10 {
		case 0, 1:
			f = build.Dir(fuzzPath(n, 'd'))
		case 2, 3, 4:
			f = build.Text(fuzzPath(n, 'f'), strings.Repeat("x", len(shown.String())%1000))
		case 5:
			f = build.Symlink(fuzzPath(n, 'l'), []string{"", "../", "/", "../../"}[target%4]+fuzzPath(target/4, "df"[target%2]))
		case 6:
			dir, name, _ := strings.Cut(fuzzPath(n, "dfl"[n%3]), "/")
			f = build.Text(strings.TrimPrefix(dir+"/.wh."+strings.ReplaceAll(name, "/", ""), "/"), "")
			if name == "" {
				f.Name = ".wh." + dir
			}
		case 7:
			f = build.Text(fuzzPath(n, 'd')+"/.wh..wh..opq", "")
		case 8:
			f = build.Hardlink(fuzzPath(n, 'f'), fuzzPath(target, 'f'))
		case 9:
			plain, files = append(plain, of(files...)), nil
			fmt.Fprintln(&shown, "---")
			continue
		}
		fmt.Fprintf(&shown, "%s %s\n", f.Name, f.Link)
		files = append(files, f)
	}
	s := store{}
	var layers []imagefs.Layer
	for _, data := range append(plain, of(files...)) {
		layers = append(layers, imagefs.Layer{Descriptor: build.Blobs(s).Put(ocispec.MediaTypeImageLayer, data)})
	}
	return s, layers, shown.String()
}

func TestScan(t *testing.T) {
	s, layers := stack(of(text("b"), text("d/.wh.a"), build.Dir("d"), text("d/.wh..wh..opq"), build.Hardlink("c", "b"), text("b"), text("./d/x")))
	members, err := imagefs.Scan(t.Context(), s, layers[0], content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	show := func(members []imagefs.Member) (lines []string) {
		for _, m := range members {
			lines = append(lines, strings.TrimSpace(m.Type()+" "+m.Path+" "+m.Hides+m.Target()))
		}
		return lines
	}
	want := []string{"file b", "whiteout d/.wh.a d/a", "dir d", "opaque d/.wh..wh..opq d", "hardlink c b", "file b", "file d/x"}
	if got := show(members); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for name, want := range map[string][]string{
		"":       want,
		"/d/":    {"whiteout d/.wh.a d/a", "dir d", "opaque d/.wh..wh..opq d", "file d/x"},
		"d/a":    {"whiteout d/.wh.a d/a"},
		"?":      {"file b", "dir d", "opaque d/.wh..wh..opq d", "hardlink c b", "file b"},
		"**/x":   {"file d/x"},
		"d/.wh*": {"whiteout d/.wh.a d/a", "opaque d/.wh..wh..opq d"},
	} {
		kept, err := imagefs.SelectMembers(members, name)
		if got := show(kept); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := imagefs.SelectMembers(members, "x*"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("nothing fits: %v", err)
	}
	if _, err := imagefs.SelectMembers(members, "["); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("no pattern: %v", err)
	}
}
