package artifact_test

import (
	"archive/tar"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// outside is a directory with a subdirectory "out" to be written to; check fails
// the test if anything but that changed.
func outside(t testing.TB) (dir string, check func()) {
	t.Helper()
	parent := tree(t, build.Text("precious", "precious"), build.Text("other/file", "file"))
	before := contents(t, parent)
	return filepath.Join(parent, "out"), func() {
		t.Helper()
		after := contents(t, parent)
		maps.DeleteFunc(after, func(name, _ string) bool { return name == "out" || strings.HasPrefix(name, "out/") })
		if !maps.Equal(before, after) {
			t.Errorf("outside was %v, is %v", before, after)
		}
	}
}

func TestHostileTitles(t *testing.T) {
	for _, title := range []string{
		"/etc/passwd", "../precious", "a/../../precious", "..", `..\precious`, `a\b`, "C:/x", `C:\x`, "c:x",
		"a\x00b", ".", "./", "a/..", "//x", "",
	} {
		t.Run(title, func(t *testing.T) {
			b := build.NewLayout()
			layer := titled(b, title, []byte("evil"))
			if title == "" { // a title that is missing is made of the digest; two are one file
				foreign(b, layer, layer)
			} else {
				foreign(b, titled(b, "good", []byte("good")), layer)
			}
			dir, check := outside(t)
			_, err := save(t, testkit.Layout(t, b), dir, artifact.SaveOptions{})
			if !errors.Is(err, content.ErrRefused) {
				t.Errorf("%v, want it refused", err)
			}
			if _, err := os.Lstat(dir); err == nil {
				t.Error("something was written")
			}
			check()
		})
	}
}

func TestHostileMembers(t *testing.T) {
	for name, members := range map[string][]build.File{
		"up":                  {build.Text("dir/../../precious", "x")},
		"up at once":          {build.Text("../precious", "x")},
		"absolute":            {build.Text("/precious", "x")},
		"elsewhere":           {build.Text("other/file", "x")},
		"prefix":              {build.Text("dirty", "x")},
		"backslash":           {build.Text(`dir/..\..\precious`, "x")},
		"link up":             {build.Symlink("dir/l", "../../precious")},
		"link absolute":       {build.Symlink("dir/l", "/etc/passwd")},
		"link down and up":    {build.Symlink("dir/here", "."), build.Symlink("dir/l", "here/here/../../precious")},
		"link chain":          {build.Dir("dir/a"), build.Symlink("dir/a/here", ".."), build.Symlink("dir/up", "a/here/../x")},
		"through a link":      {build.Symlink("dir/l", "."), build.Text("dir/l/x", "x")},
		"link by a link":      {build.Symlink("dir/l", "."), build.Symlink("dir/l/m", "../precious")},
		"directory as link":   {build.Symlink("dir/l", "x"), build.Dir("dir/l")},
		"file twice":          {build.Text("dir/x", "1"), build.Text("dir/x", "2")},
		"file on a link":      {build.Symlink("dir/x", "y"), build.Text("dir/x", "2")},
		"hard link up":        {build.Hardlink("dir/x", "../precious")},
		"hard link to none":   {build.Hardlink("dir/x", "dir/y")},
		"hard link to link":   {build.Symlink("dir/y", "z"), build.Hardlink("dir/x", "dir/y")},
		"device":              {{Name: "dir/x", Type: tar.TypeChar, Major: 1}},
		"fifo":                {{Name: "dir/x", Type: tar.TypeFifo}},
		"root that is a file": {build.Text("dir", "x")},
	} {
		t.Run(name, func(t *testing.T) {
			b := build.NewLayout()
			foreign(b, titled(b, "good", []byte("good")), packed(b, "dir", "gzip", append([]build.File{build.Dir("dir")}, members...)...))
			dir, check := outside(t)
			_, err := save(t, testkit.Layout(t, b), dir, artifact.SaveOptions{})
			if !errors.Is(err, content.ErrRefused) {
				t.Errorf("%v, want it refused", err)
			}
			if _, err := os.Lstat(dir); err == nil {
				t.Errorf("something was written: %v", contents(t, dir))
			}
			check()
		})
	}
}

// TestThroughLink: what is in the directory already leads nowhere else either.
func TestThroughLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links needs rights")
	}
	b := build.NewLayout()
	foreign(b, titled(b, "l/file", []byte("evil")))
	for _, o := range []artifact.SaveOptions{{}, {Overwrite: true}} {
		dir, check := outside(t)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../other", filepath.Join(dir, "l")); err != nil {
			t.Fatal(err)
		}
		if _, err := save(t, testkit.Layout(t, b), dir, o); err == nil {
			t.Error("written through a link")
		}
		check()
	}
	// A link in the file's own place is replaced, not followed.
	b = build.NewLayout()
	foreign(b, titled(b, "l", []byte("good")))
	dir, check := outside(t)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../precious", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	if _, err := save(t, testkit.Layout(t, b), dir, artifact.SaveOptions{}); !errors.Is(err, content.ErrAlreadyExists) {
		t.Errorf("%v, want that it is there", err)
	}
	if _, err := save(t, testkit.Layout(t, b), dir, artifact.SaveOptions{Overwrite: true}); err != nil {
		t.Error(err)
	}
	check()
	if got := contents(t, dir)["l"]; !strings.HasSuffix(got, " good") {
		t.Errorf("l is %q", got)
	}
}

// TestSaveWhole: of a blob that is not what its digest says, nothing appears, and
// neither does what stands beside it.
func TestSaveWhole(t *testing.T) {
	for name, damage := range map[string]func(*build.Layout, content.Descriptor){
		"changed": func(b *build.Layout, d content.Descriptor) {
			b.Blobs[d.Digest] = append([]byte("X"), b.Blobs[d.Digest][1:]...)
		},
		"short":   func(b *build.Layout, d content.Descriptor) { b.Blobs[d.Digest] = b.Blobs[d.Digest][:3] },
		"missing": func(b *build.Layout, d content.Descriptor) { delete(b.Blobs, d.Digest) },
	} {
		b := build.NewLayout()
		bad := titled(b, "bad", []byte("what it was"))
		foreign(b, titled(b, "good", []byte("good")), bad)
		damage(b, bad)
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := save(t, testkit.Layout(t, b, testkit.BrokenOK), dir, artifact.SaveOptions{}); !errors.Is(err, content.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(dir); err == nil {
			t.Errorf("%s: %v", name, contents(t, dir))
		}
	}
}

func TestUnpackBounds(t *testing.T) {
	b := build.NewLayout()
	foreign(b, packed(b, "dir", "gzip", build.File{Name: "dir/zeros", Body: make([]byte, 1<<20)}, build.Text("dir/x", "x")))
	layoutDir := testkit.Layout(t, b)
	for _, limits := range []content.Limits{{Layer: 1 << 19}, {Members: 1}} {
		if _, err := save(t, layoutDir, filepath.Join(t.TempDir(), "out"), artifact.SaveOptions{Limits: limits}); !errors.Is(err, content.ErrRefused) {
			t.Errorf("%+v: %v", limits, err)
		}
	}
	for name, edit := range map[string]func(map[string]string){
		"digest of the tar": func(a map[string]string) {
			a["io.deis.oras.content.digest"] = build.Descriptor("", []byte("x")).Digest.String()
		},
		"no digest": func(a map[string]string) { a["io.deis.oras.content.digest"] = "x" },
	} {
		b := build.NewLayout()
		layer := packed(b, "dir", "gzip", build.Text("dir/x", "x"))
		edit(layer.Annotations)
		foreign(b, layer)
		if _, err := save(t, testkit.Layout(t, b), filepath.Join(t.TempDir(), "out"), artifact.SaveOptions{}); !errors.Is(err, content.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestForeignTrees: what other packers write is restored: plain, zstd, without
// directories of their own, with hard links.
func TestForeignTrees(t *testing.T) {
	members := []build.File{
		build.Text("./dir/sub/x", "x"), build.Hardlink("dir/hard", "dir/sub/x"), build.Symlink("dir/l", "sub/x"), build.Symlink("dir/sub/up", "../l"),
		{Name: "dir/run", Body: []byte("run"), Mode: 0o755},
	}
	want := map[string]string{
		"dir": "drwxr-xr-x ", "dir/sub": "drwxr-xr-x ", "dir/sub/x": "-rw-r--r-- x", "dir/hard": "-rw-r--r-- x",
		"dir/l": "Lrwxrwxrwx sub/x", "dir/sub/up": "Lrwxrwxrwx ../l", "dir/run": "-rwxr-xr-x run",
	}
	for _, format := range []string{"none", "gzip", "zstd"} {
		b := build.NewLayout()
		foreign(b, packed(b, "dir", format, members...))
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := save(t, testkit.Layout(t, b), dir, artifact.SaveOptions{}); err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		if got := contents(t, dir); runtime.GOOS == "linux" && !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", format, got, want)
		}
	}
}

// TestTree: a directory comes back as it was, and its blob depends on what is in it
// alone.
func TestTree(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links needs rights")
	}
	long := strings.Repeat("long-", 30)
	dir := tree(t, build.Text("b.txt", "b"), build.Dir("empty"), build.Text("sub/"+long+"/"+long, "deep"), build.Text("sub/ü", "ü"),
		build.Symlink("sub/link", "../b.txt"), build.Symlink("dangling", "nothing"), build.File{Name: "run", Body: []byte("run"), Mode: 0o755})
	l, _ := hello(t)
	var digests []content.Digest
	for range 2 {
		stored, err := artifact.Put(t.Context(), l, "tree", artifact.Options{Files: []artifact.File{{Path: dir, Title: "some/where"}}}, layout.Overwrite)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, stored.Descriptor.Digest)
		if err := os.Chtimes(filepath.Join(dir, "b.txt"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("%s, and with another time %s", digests[0], digests[1])
	}
	items, err := artifact.Items(t.Context(), l, resolve(t, l, "tree"), artifact.Filter{}, l.Limits())
	if err != nil || len(items) != 1 || !items[0].Unpack || items[0].Title != "some/where" {
		t.Fatalf("%+v, %v", items, err)
	}
	out := t.TempDir()
	if _, err := artifact.Save(t.Context(), l, items, out, artifact.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, filepath.Join(out, "some", "where")), contents(t, dir); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := contents(t, out); len(got) != 2+len(contents(t, dir)) {
		t.Errorf("more than the tree: %v", got)
	}

	// Into a directory that is there: beside what it has, and over it only if asked.
	if _, err := artifact.Save(t.Context(), l, items, out, artifact.SaveOptions{}); !errors.Is(err, content.ErrAlreadyExists) {
		t.Errorf("over itself: %v", err)
	}
	where := filepath.Join(out, "some", "where")
	for _, err := range []error{
		os.WriteFile(filepath.Join(where, "mine"), []byte("mine"), 0o644),
		os.WriteFile(filepath.Join(where, "b.txt"), []byte("old"), 0o644),
		os.RemoveAll(filepath.Join(where, "sub")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := artifact.Save(t.Context(), l, items, out, artifact.SaveOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	want := contents(t, dir)
	want["mine"] = "-rw-r--r-- mine"
	if got := contents(t, where); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPackRefuses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links needs rights")
	}
	l, _ := hello(t)
	for _, target := range []string{"/etc/passwd", "../x", "sub/../../x", "sub/../x"} {
		dir := tree(t, build.Text("sub/x", "x"))
		if err := os.Symlink(target, filepath.Join(dir, "l")); err != nil {
			t.Fatal(err)
		}
		_, err := artifact.Put(t.Context(), l, "tree", artifact.Options{Files: []artifact.File{{Path: dir}}}, layout.Overwrite)
		if !errors.Is(err, content.ErrRefused) {
			t.Errorf("link to %s: %v", target, err)
		}
	}
}

func TestItems(t *testing.T) {
	b := build.NewLayout()
	a, c := titled(b, "docs/a.txt", []byte("a")), titled(b, "c.json", []byte("c"))
	c.MediaType = "application/json"
	foreign(b, a, c)
	l := open(t, testkit.Layout(t, b))
	for _, f := range []struct {
		filter artifact.Filter
		want   string
	}{
		{artifact.Filter{}, "docs/a.txt c.json"},
		{artifact.Filter{Names: []string{"*.txt"}}, "docs/a.txt"},
		{artifact.Filter{Names: []string{"docs/*"}}, "docs/a.txt"},
		{artifact.Filter{Names: []string{"a*", "c*"}}, "docs/a.txt c.json"},
		{artifact.Filter{MediaTypes: []string{"Application/JSON"}}, "c.json"},
		{artifact.Filter{Names: []string{"a*"}, MediaTypes: []string{"application/json"}}, ""},
	} {
		items, err := artifact.Items(t.Context(), l, resolve(t, l, "foreign"), f.filter, l.Limits())
		if err != nil {
			t.Fatal(err)
		}
		var titles []string
		for _, i := range items {
			titles = append(titles, i.Title)
		}
		if got := strings.Join(titles, " "); got != f.want {
			t.Errorf("%+v: %s, want %s", f.filter, got, f.want)
		}
	}
	if _, err := artifact.Items(t.Context(), l, resolve(t, l, "foreign"), artifact.Filter{Names: []string{"["}}, l.Limits()); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("a bad pattern: %v", err)
	}
}

// FuzzSave: whatever title and tar an artifact has, nothing outside of the
// directory changes, and no link below it leads out.
func FuzzSave(f *testing.F) {
	f.Add("dir", build.Tar(build.Text("dir/x", "x"), build.Symlink("dir/l", "x")), true)
	f.Add("../dir", build.Tar(build.Text("../dir/x", "x")), true)
	f.Add(".", build.Tar(build.Symlink("l", "../precious"), build.Text("l", "x")), true)
	f.Add("dir", build.Tar(build.Symlink("dir/a", "."), build.Hardlink("dir/b", "dir/a")), true)
	f.Add("/precious", []byte("x"), false)
	f.Add("a/./b", []byte("x"), false)
	f.Fuzz(func(t *testing.T, title string, body []byte, unpack bool) {
		b := build.NewLayout()
		layer := titled(b, title, body)
		if unpack {
			layer.Annotations["io.deis.oras.content.unpack"] = "true"
		}
		foreign(b, layer)
		dir, check := outside(t)
		_, err := save(t, testkit.Layout(t, b), dir, artifact.SaveOptions{Limits: content.Limits{Layer: 1 << 20, Members: 100}})
		check()
		if _, statErr := os.Lstat(dir); statErr != nil {
			return
		}
		root, rootErr := os.OpenRoot(dir)
		if rootErr != nil {
			t.Fatal(rootErr)
		}
		defer func() { _ = root.Close() }() // only read
		for name := range contents(t, dir) {
			if _, statErr := root.Stat(name); statErr != nil && strings.Contains(statErr.Error(), "escapes") {
				t.Errorf("%s leads out (%v)", name, err)
			}
			if strings.Contains(name, ".ocilayout-") {
				t.Errorf("%s was left", name)
			}
		}
	})
}

// TestSaveNothingInTheWay: a file in the way of one is known before another gets
// its name, in a tree too.
func TestSaveNothingInTheWay(t *testing.T) {
	b := build.NewLayout()
	foreign(b, titled(b, "first", []byte("1")), titled(b, "second", []byte("2")), packed(b, "dir", "gzip", build.Text("dir/a", "a"), build.Text("dir/b", "b")))
	layoutDir := testkit.Layout(t, b)
	for _, there := range []build.File{build.Text("second", "mine"), build.Text("dir/b", "mine"), build.Text("dir/a/x", "mine"), build.Text("dir", "mine"), build.Dir("first")} {
		dir := tree(t, there)
		before := contents(t, dir)
		if _, err := save(t, layoutDir, dir, artifact.SaveOptions{}); !errors.Is(err, content.ErrAlreadyExists) {
			t.Errorf("%s: %v, want that it is there", there.Name, err)
		}
		if after := contents(t, dir); !maps.Equal(before, after) {
			t.Errorf("%s: the directory was %v, is %v", there.Name, before, after)
		}
	}
}
