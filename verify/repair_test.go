package verify_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// repair repairs dir, and holds index.json to what it was.
func repair(t *testing.T, dir string, o verify.Options, from ...string) verify.Report {
	t.Helper()
	before := readFile(t, filepath.Join(dir, "index.json"))
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	var sources []verify.Source
	for _, path := range from {
		s, err := verify.OpenSource(path, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }() // only read
		sources = append(sources, s)
	}
	report, err := verify.Repair(context.Background(), l, nil, sources, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, readFile(t, filepath.Join(dir, "index.json"))) {
		t.Error("index.json was changed")
	}
	return report
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func blobFile(dir string, d content.Digest) string {
	return filepath.Join(dir, filepath.FromSlash(build.BlobPath(d)))
}

// TestRepairAll: of a layout that has lost every blob, or in which every one is wrong,
// all come back, level by level.
func TestRepairAll(t *testing.T) {
	l := build.NewLayout()
	large := build.Layer{Files: []build.File{{Name: "large", Body: build.Random(1, 200_000)}}}
	l.Tag("v1", l.Index(l.Index(l.Image(build.Image{}), l.Image(build.Image{Layers: []build.Layer{large}}))))
	good := testkit.Layout(t, l)
	archive := testkit.File(t, "good.tar", l.Tar())
	for name, harm := range map[string]func(path string) error{
		"missing": os.Remove,
		"cut":     func(path string) error { return os.Truncate(path, 1) },
		"other":   func(path string) error { return os.WriteFile(path, []byte("other"), 0o644) },
		"flipped": func(path string) error {
			data, err := os.ReadFile(path)
			if err == nil {
				data[len(data)/2] ^= 1
				err = os.WriteFile(path, data, 0o644)
			}
			return err
		},
	} {
		for _, from := range []string{good, archive} {
			dir := testkit.Layout(t, l)
			for d := range l.Blobs {
				if err := harm(blobFile(dir, d)); err != nil {
					t.Fatal(err)
				}
			}
			got := repair(t, dir, verify.Options{}, from)
			if !got.OK || len(got.Repaired) != len(l.Blobs) || len(got.Problems) != 0 {
				t.Errorf("%s: %d repaired of %d, %+v", name, len(got.Repaired), len(l.Blobs), got.Problems)
			}
			for _, r := range got.Repaired {
				if r.From != from || r.Size != int64(len(l.Blobs[r.Digest])) {
					t.Errorf("%s: %+v", name, r)
				}
			}
			for d, want := range l.Blobs {
				if !bytes.Equal(readFile(t, blobFile(dir, d)), want) {
					t.Errorf("%s: %s is not right", name, d)
				}
			}
		}
	}
}

// TestRepairBySeveral: each source has some, and one that has a blob wrong is passed
// over.
func TestRepairBySeveral(t *testing.T) {
	l := build.Hello()
	layer, config := layerOf(t, l).Digest, content.Digest("")
	for d, data := range l.Blobs {
		if bytes.Contains(data, []byte(`"rootfs"`)) {
			config = d
		}
	}
	lies, half := testkit.Layout(t, l, testkit.BrokenOK), testkit.Layout(t, l, testkit.BrokenOK)
	if err := os.WriteFile(blobFile(lies, layer), bytes.ToUpper(l.Blobs[layer]), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blobFile(half, config)); err != nil {
		t.Fatal(err)
	}
	dir := testkit.Layout(t, l)
	for _, d := range []content.Digest{layer, config} {
		if err := os.Remove(blobFile(dir, d)); err != nil {
			t.Fatal(err)
		}
	}
	got := repair(t, dir, verify.Options{}, lies, half)
	from := map[content.Digest]string{}
	for _, r := range got.Repaired {
		from[r.Digest] = r.From
	}
	if !got.OK || from[layer] != half || from[config] != lies {
		t.Errorf("%+v", got)
	}
}

// TestRepairFromVast: a source with a file beyond any disk in place of a blob is passed
// over at once.
func TestRepairFromVast(t *testing.T) {
	l := build.Hello()
	vast, good, dir := testkit.Layout(t, l, testkit.BrokenOK), testkit.Layout(t, l), testkit.Layout(t, l)
	layer := layerOf(t, l).Digest
	if err := os.Truncate(blobFile(vast, layer), 1<<42); err != nil {
		t.Skip(err)
	}
	if err := os.Remove(blobFile(dir, layer)); err != nil {
		t.Fatal(err)
	}
	if got := repair(t, dir, verify.Options{}, vast, good); !got.OK || got.Repaired[0].From != good {
		t.Errorf("%+v", got)
	}
}

// TestRepairFromDocker: an archive of docker save has the config and the plain layers.
func TestRepairFromDocker(t *testing.T) {
	image := build.Image{Layers: []build.Layer{{Compression: "none", Files: []build.File{build.Text("a", "a")}}}}
	l := build.NewLayout()
	l.Tag("app:v1", l.Image(image))
	archive := testkit.Archive(t, "saved.tar", build.DockerArchive(build.DockerImage{Image: image, Tags: []string{"app:v1"}})...)
	dir := testkit.Layout(t, l)
	for d := range l.Blobs {
		if d != l.Entries[0].Digest {
			if err := os.Remove(blobFile(dir, d)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := repair(t, dir, verify.Options{}, archive)
	if !got.OK || len(got.Repaired) != 2 {
		t.Errorf("%+v", got)
	}
}

// TestRepairLinks: a link in place of a blob is replaced itself; what it leads to stays
// as it is.
func TestRepairLinks(t *testing.T) {
	l := build.Hello()
	good, dir, store := testkit.Layout(t, l), testkit.Layout(t, l), t.TempDir()
	linkBlobs(t, dir, store)
	layer := layerOf(t, l).Digest
	elsewhere := filepath.Join(store, layer.Encoded())
	if err := os.WriteFile(elsewhere, []byte("not ours"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := repair(t, dir, verify.Options{}, good)
	if !got.OK || len(got.Repaired) != 1 {
		t.Errorf("%+v", got)
	}
	if info, err := os.Lstat(blobFile(dir, layer)); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v: want a file in place of the link", info, err)
	}
	if string(readFile(t, elsewhere)) != "not ours" {
		t.Error("something was written through the link")
	}
}

// TestRepairNotThroughLink: nothing is written into a directory of blobs that is a link.
func TestRepairNotThroughLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a right")
	}
	l := build.Hello()
	good, dir, store := testkit.Layout(t, l), testkit.Layout(t, l, testkit.BrokenOK), filepath.Join(t.TempDir(), "store")
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.Rename(blobs, store); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(store, blobs); err != nil {
		t.Fatal(err)
	}
	layer := layerOf(t, l).Digest
	if err := os.Remove(filepath.Join(store, layer.Encoded())); err != nil {
		t.Fatal(err)
	}
	w, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	s, err := verify.OpenSource(good, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }() // only read
	if _, err := verify.Repair(context.Background(), w, nil, []verify.Source{s}, verify.Options{}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(filepath.Join(store, layer.Encoded())); err == nil {
		t.Error("a blob was written through a link")
	}
}

// TestRepairLeaves: what is sparse, a directory in place of a blob, and what no bytes
// could mend stay as they are.
func TestRepairLeaves(t *testing.T) {
	l := build.Hello()
	good := testkit.Layout(t, l)
	layer := layerOf(t, l).Digest
	for name, c := range map[string]struct {
		harm func(l *build.Layout, path string) error
		o    verify.Options
		id   string
	}{
		"allowed":   {func(*build.Layout, string) error { return nil }, verify.Options{AllowMissing: true}, verify.Sparse},
		"directory": {func(_ *build.Layout, path string) error { return os.Mkdir(path, 0o755) }, verify.Options{}, verify.BlobType},
		"size": {func(l *build.Layout, path string) error {
			l.Entries[0].Size++
			return os.WriteFile(path, l.Blobs[layer], 0o644)
		}, verify.Options{Level: verify.Quick}, verify.BlobSize},
	} {
		broken := build.Hello()
		dir := testkit.Layout(t, broken, testkit.BrokenOK)
		if err := os.Remove(blobFile(dir, layer)); err != nil {
			t.Fatal(err)
		}
		if err := c.harm(broken, blobFile(dir, layer)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "index.json"), broken.IndexFile(), 0o644); err != nil {
			t.Fatal(err)
		}
		got := repair(t, dir, c.o, good)
		if len(got.Repaired) != 0 || len(got.Problems) != 1 || got.Problems[0].ID != c.id {
			t.Errorf("%s: %+v, want %s", name, got, c.id)
		}
	}
}

// TestOpenSource: what holds no blobs under digests is told at once.
func TestOpenSource(t *testing.T) {
	for name, path := range map[string]string{
		"text":       testkit.File(t, "text", []byte("text")),
		"empty tar":  testkit.Archive(t, "empty.tar"),
		"compressed": testkit.Archive(t, "hello.tar.gz", build.Hello().Files()...),
		"no list":    testkit.Archive(t, "list.tar", build.Text("manifest.json", "{}")),
		"absent":     filepath.Join(t.TempDir(), "absent"),
		"directory":  t.TempDir(),
	} {
		if s, err := verify.OpenSource(path, layout.Options{}); err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close()
		}
	}
}
