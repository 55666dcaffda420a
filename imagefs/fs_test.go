package imagefs_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// house is an image with one of everything.
func house(t testing.TB) (store, []imagefs.Layer, *imagefs.Tree) {
	t.Helper()
	s, layers := stack(
		of(build.Dir("etc"), text("etc/passwd"), text("etc/gone"), build.Dir("usr/bin"), text("usr/bin/dash"), text("var/cache/x"), build.Symlink("bin", "usr/bin")),
		of(build.File{Name: "etc", Type: tar.TypeDir, Mode: 0o711, UID: 7}, text("etc/.wh.gone"), text("var/cache/.wh..wh..opq"), text("var/cache/y"),
			build.Symlink("bin/sh", "dash"), build.Hardlink("usr/bin/ash", "/usr/bin/dash"), build.Text("usr/bin/empty", "")),
		of(build.File{Name: "usr/bin/su", Body: []byte("su"), Mode: 0o4755, UID: 1, GID: 2}, build.Symlink("loop", "loop"),
			build.Symlink("up", "../../../etc"), build.Symlink("abs", "/etc/passwd"), build.Symlink("dangling", "nowhere"),
			build.File{Name: "dev/null", Type: tar.TypeChar, Major: 1, Mode: 0o666}, build.File{Name: "fifo", Type: tar.TypeFifo},
			build.File{Name: "odd[1]", Body: []byte("odd")},
			build.File{Name: "xattr", Body: []byte("x"), PAX: map[string]string{"SCHILY.xattr.user.a": "\x00\xff"}}),
	)
	tree, err := imagefs.Build(t.Context(), s, layers, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s, layers, tree
}

func TestFS(t *testing.T) {
	s, _, tree := house(t)
	fsys := tree.FS(t.Context(), s)
	err := fstest.TestFS(fsys, "etc/passwd", "usr/bin/dash", "usr/bin/ash", "usr/bin/sh", "var/cache/y", "usr/bin/su", "bin", "up", "abs", "dev/null")
	for err := range unjoined(err) {
		if !isDangling(err) {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{
		"bin/sh": "usr/bin/dash", "up/passwd": "etc/passwd", "abs": "etc/passwd", "usr/bin/ash": "usr/bin/dash", "usr/bin/empty": "", "dev/null": "",
	} {
		if data, err := fs.ReadFile(fsys, name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]error{
		"etc/gone": fs.ErrNotExist, "var/cache/x": fs.ErrNotExist, "dangling": fs.ErrNotExist, "etc/passwd/x": fs.ErrNotExist,
		"loop": content.ErrCorrupt, "/etc": fs.ErrInvalid, "etc/../etc": fs.ErrInvalid,
	} {
		if _, err := fsys.Open(name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if _, err := fsys.Stat(name); !errors.Is(err, want) {
			t.Errorf("stat %s: %v, want %v", name, err, want)
		}
	}
	if target, err := fsys.ReadLink("up"); target != "../../../etc" || err != nil {
		t.Errorf("up leads to %q, %v", target, err)
	}
	if _, err := fsys.ReadLink("etc"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a directory as a link: %v", err)
	}
	if _, err := fsys.ReadDir("abs"); err == nil {
		t.Error("a file was listed as a directory")
	}
	info, err := fsys.Stat("bin/su")
	if err != nil || info.Mode() != 0o755|fs.ModeSetuid || info.Size() != 2 || !info.ModTime().Equal(build.Clock) {
		t.Errorf("su is %v, %v", info, err)
	}
	if h, ok := info.Sys().(*tar.Header); !ok || h.Uid != 1 || h.Gid != 2 {
		t.Errorf("su belongs to %+v", info.Sys())
	}
}

// unjoined are the errors in what TestFS returns.
func unjoined(err error) func(func(error) bool) {
	return func(yield func(error) bool) {
		var all interface{ Unwrap() []error }
		if err == nil || !errors.As(err, &all) {
			if err != nil {
				yield(err)
			}
			return
		}
		for _, err := range all.Unwrap() {
			if !yield(err) {
				return
			}
		}
	}
}

// isDangling says that TestFS complains of links that lead nowhere, which an image
// may have.
func isDangling(err error) bool {
	return strings.HasPrefix(err.Error(), "dangling: ") || strings.HasPrefix(err.Error(), "loop: ")
}

func TestFSProvesItsBytes(t *testing.T) {
	s, layers, tree := house(t)
	fsys := tree.FS(t.Context(), s)
	s[layers[2].Digest][40] ^= 1
	if _, err := fs.ReadFile(fsys, "usr/bin/su"); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a layer that has changed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fs.ReadFile(tree.FS(ctx, s), "etc/passwd"); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
	f, err := fsys.Open("etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a read after Close: %v", err)
	}
}

func TestLookup(t *testing.T) {
	_, layers, tree := house(t)
	for _, tt := range []struct {
		path, want, kind string
		follow           bool
		layer            int
	}{
		{"", ".", "dir", false, 0},
		{"/", ".", "dir", true, 0},
		{"/etc/passwd", "etc/passwd", "file", false, 0},
		{"bin", "bin", "symlink", false, 0},
		{"bin/", "usr/bin", "dir", false, 0},
		{"bin", "usr/bin", "dir", true, 0},
		{"bin/sh", "usr/bin/sh", "symlink", false, 1},
		{"bin/sh", "usr/bin/dash", "file", true, 0},
		{"up/../etc/./passwd", "etc/passwd", "file", true, 0},
		{"../../etc", "etc", "dir", true, 1},
		{"usr/bin/dash", "usr/bin/dash", "file", true, 0},
		{"dev/null", "dev/null", "char", true, 2},
		{"fifo", "fifo", "fifo", true, 2},
	} {
		f, err := tree.Lookup(tt.path, tt.follow)
		if err != nil || f.Path != tt.want || f.Type() != tt.kind || f.Layer() != tt.layer || f.Layer() >= len(layers) {
			t.Errorf("%q: %q, a %s of layer %d, %v", tt.path, f.Path, f.Type(), f.Layer(), err)
		}
	}
	f, err := tree.Lookup("xattr", false)
	if err != nil || string(f.Xattrs()["user.a"]) != "\x00\xff" || f.Length() != 1 {
		t.Errorf("xattrs are %q, %v", f.Xattrs(), err)
	}
	if f, err := tree.Lookup("var", false); err != nil || f.Listed() {
		t.Errorf("var is listed: %v", err)
	}
	if f, err := tree.Lookup("etc", false); err != nil || !f.Listed() || f.Permissions() != 0o711 {
		t.Errorf("etc is %v, %v", f.Mode(), err)
	}
	f, err = tree.Lookup("usr/bin/dash", false)
	if err != nil || f.Link != "usr/bin/ash" || f.Size() != 0 || f.Length() != 12 {
		t.Errorf("dash is a link to %q, %v", f.Link, err)
	}
	for _, path := range []string{"etc/gone", "etc/passwd/", "etc/passwd/..", "dangling/"} {
		if _, err := tree.Lookup(path, false); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestSelect(t *testing.T) {
	_, _, tree := house(t)
	for name, want := range map[string]string{
		"/etc":        "etc/passwd",
		"/etc/passwd": "etc/passwd",
		"bin":         "bin",
		"bin/":        "usr/bin/ash usr/bin/dash usr/bin/empty usr/bin/sh usr/bin/su",
		"bin/sh":      "usr/bin/sh",
		"var":         "var/cache var/cache/y",
		"etc/*":       "etc/passwd",
		"/usr/*":      "usr/bin",
		"**/?ash":     "usr/bin/dash",
		"usr/**":      "usr usr/bin usr/bin/ash usr/bin/dash usr/bin/empty usr/bin/sh usr/bin/su",
		"odd[1]":      "odd[1]",
		"odd\\[1]":    "odd[1]",
	} {
		files, err := tree.Select(name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		var got []string
		for f := range files {
			got = append(got, f.Path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q", name, got)
		}
	}
	all := 0
	files, err := tree.Select("/")
	if err != nil {
		t.Fatal(err)
	}
	for range files {
		all++
	}
	if n := len(slices.Collect(tree.Files())); n != all || n < 20 {
		t.Errorf("the root has %d files, all are %d", all, n)
	}
	for name, want := range map[string]error{"nothing": content.ErrNotFound, "etc/x*": content.ErrNotFound, "etc/[": content.ErrInvalid, "loop/": content.ErrCorrupt} {
		if _, err := tree.Select(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"/a", "a", true}, {"a", "/a", true}, {"a", "a/b", false}, {"a/b", "a", false},
		{"*", "a", true}, {"*", "a/b", false}, {"*/b", "a/b", true}, {"**", "a/b/c", true}, {"**/c", "a/b/c", true}, {"**/c", "c", true},
		{"a/**/c", "a/c", true}, {"a/**/c", "a/x/y/c", true}, {"a/**/c", "b/c", false}, {"a/**", "a/b", true}, {"a/**", "b", false},
		{"[a-c]?", "bx", true}, {`\*`, "*", true}, {`\*`, "a", false}, {"**/b/**/d", "a/b/c/c/d", true}, {"**/b/**/d", "a/b/c/c", false},
	} {
		if got, err := imagefs.Match(tt.pattern, tt.name); got != tt.want || err != nil {
			t.Errorf("%q, %q: %t, %v", tt.pattern, tt.name, got, err)
		}
	}
	if _, err := imagefs.Match("a/[", "b"); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("no pattern: %v", err)
	}
}

// TestHostileImages are those that would take more than there is.
func TestHostileImages(t *testing.T) {
	many := func(n int, name func(int) string) []byte {
		files := make([]build.File, n)
		for i := range files {
			files[i] = build.Text(name(i), "")
		}
		return of(files...)
	}
	for _, tt := range []struct {
		name   string
		tar    []byte
		limits content.Limits
	}{
		{"many members", many(1000, func(i int) string { return "f" + strings.Repeat("x", i%7) }), content.Limits{Members: 999}},
		{"long names", many(100, func(int) string { return strings.Repeat("n", 2000) }), content.Limits{Tree: 100_000}},
		{"directories that nobody lists", many(3, func(i int) string { return strings.Repeat("d/", 2000) + strings.Repeat("x", i+1) }), content.Limits{Tree: 300_000}},
		{"attributes", of(build.File{Name: "a", PAX: map[string]string{"SCHILY.xattr.user.a": strings.Repeat("x", 200_000)}}), content.Limits{Tree: 100_000}},
		{"bytes", of(build.File{Name: "a", Body: make([]byte, 1<<20)}), content.Limits{Layer: 1 << 19}},
	} {
		s, layers := stack(of(text("a")), tt.tar)
		if _, err := imagefs.Build(t.Context(), s, layers, tt.limits); !errors.Is(err, content.ErrRefused) {
			t.Errorf("%s: build: %v", tt.name, err)
		}
		if _, err := imagefs.Scan(t.Context(), s, layers[1], tt.limits); tt.name != "directories that nobody lists" && !errors.Is(err, content.ErrRefused) {
			t.Errorf("%s: scan: %v", tt.name, err)
		}
		if _, err := imagefs.Find(t.Context(), s, layers, "a", tt.limits); !errors.Is(err, content.ErrRefused) {
			t.Errorf("%s: find: %v", tt.name, err)
		}
	}
}

// TestDeepPaths: links can lead so far down that no path says it.
func TestDeepPaths(t *testing.T) {
	deep := strings.Repeat("d/", 1900)
	var files []build.File
	at := ""
	for i := range 20 {
		files = append(files, build.Dir(at+deep), build.Symlink("l"+string(rune('a'+i)), at+deep))
		at = "l" + string(rune('a'+i)) + "/"
	}
	s, layers := stack(of(files...))
	if _, err := imagefs.Build(t.Context(), s, layers, content.Limits{}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("got %.300v", err)
	}
}

func TestChoose(t *testing.T) {
	l := build.NewLayout()
	arm := content.Platform{OS: "linux", Architecture: "arm64"}
	amd := content.Platform{OS: "linux", Architecture: "amd64"}
	armImage, amdImage := l.Image(build.Image{Platform: arm}), l.Image(build.Image{Platform: amd})
	absent := build.Descriptor(armImage.MediaType, []byte("absent"))
	absent.Platform = &amd
	f := store(l.Blobs)
	for _, tt := range []struct {
		name   string
		d      content.Descriptor
		want   content.Descriptor
		others int
	}{
		{"a manifest", armImage, armImage, 0},
		{"linux/amd64", l.Index(armImage, l.Index(amdImage)), amdImage, 1},
		{"the first", l.Index(absent, armImage), armImage, 0},
	} {
		got, others, err := imagefs.Choose(t.Context(), f, tt.d, content.Limits{})
		if err != nil || got.Digest != tt.want.Digest || others != tt.others {
			t.Errorf("%s: %v, %d, %v", tt.name, got.Platform, others, err)
		}
	}
	if _, _, err := imagefs.Choose(t.Context(), f, l.Index(absent), content.Limits{}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("a sparse index: %v", err)
	}
	bomb := amdImage
	for range 7 {
		bomb = l.Index(slices.Repeat([]content.Descriptor{bomb}, 20)...)
	}
	if _, _, err := imagefs.Choose(t.Context(), f, bomb, content.Limits{}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("an index that unfolds: %v", err)
	}
	layers, err := imagefs.LayersOf(t.Context(), f, amdImage, content.Limits{})
	if err != nil || len(layers) != 1 || layers[0].DiffID != "" {
		t.Errorf("layers are %v, %v", layers, err)
	}
	artifact := l.Artifact("a/b", nil, []byte("x"))
	if _, err := imagefs.LayersOf(t.Context(), f, artifact, content.Limits{}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("an artifact: %v", err)
	}
}

// TestWithoutDiffID: the digest alone proves a layer then, and a diffID that is
// wrong is not looked at.
func TestWithoutDiffID(t *testing.T) {
	s, layers := stack(of(text("a")))
	layers[0].DiffID = build.Descriptor("", []byte("other")).Digest
	if _, err := imagefs.Build(t.Context(), s, layers, content.Limits{}); !errors.Is(err, content.ErrDigest) {
		t.Errorf("a wrong diffID: %v", err)
	}
	layers[0].DiffID = ""
	rc, err := imagefs.OpenLayer(t.Context(), s, layers[0], content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if data, err := io.ReadAll(rc); err != nil || string(data) != string(of(text("a"))) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	s[layers[0].Digest][0] ^= 1
	if _, err := imagefs.Build(t.Context(), s, layers, content.Limits{}); !errors.Is(err, content.ErrDigest) {
		t.Errorf("a corrupt layer: %v", err)
	}
}
