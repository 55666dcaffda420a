package layout_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// app is an image whose digest depends on text.
func app(text string) build.Image {
	return build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("app", text)}}}}
}

func diff(t *testing.T, a, b string, o layout.DiffOptions) (layout.Difference, error) {
	t.Helper()
	return layout.Diff(context.Background(), reader(t, a), reader(t, b), o)
}

func reader(t *testing.T, path string) *layout.Reader {
	t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// TestDiffEqual: order, garbage, the form of names, the list under a fallback tag
// and whether a layout is a directory make no difference.
func TestDiffEqual(t *testing.T) {
	a := build.NewLayout()
	one, two := a.Image(app("one")), a.Image(app("two"))
	a.Tag("docker.io/library/app:v1", one)
	a.Tag("v2", two)
	a.Attach(one, "text/plain", []byte("text"))

	b := build.NewLayout()
	b.Put("", []byte("garbage"))
	b.Tag("v2", b.Image(app("two")))
	b.Add(b.Artifact("text/plain", &one, []byte("text"))) // an entry, and no fallback tag
	b.Tag("app:v1", b.Image(app("one")))

	got, err := diff(t, testkit.Layout(t, a), testkit.Archive(t, "b.tar", b.Files()...), layout.DiffOptions{})
	if err != nil || !got.Equal {
		t.Errorf("%+v, %v, want equal", got, err)
	}
}

func TestDiff(t *testing.T) {
	a := build.NewLayout()
	one, two := a.Image(app("one")), a.Image(app("two"))
	a.Tag("same", one)
	a.Tag("moved", one)
	a.Tag("gone", two)

	b := build.NewLayout()
	three := b.Image(app("three"))
	b.Tag("moved", three)
	b.Tag("same", b.Image(app("one")))
	b.Tag("new", three)
	text := b.Attach(one, "text/plain", []byte("text"))

	got, err := diff(t, testkit.Layout(t, a), testkit.Layout(t, b), layout.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := layout.NameDifference{
		Added:   []layout.NamedDigest{{Name: "new", Digest: three.Digest}},
		Removed: []layout.NamedDigest{{Name: "gone", Digest: two.Digest}},
		Moved:   []layout.MovedName{{Name: "moved", Old: one.Digest, New: three.Digest}},
	}
	if got.Equal || !slices.Equal(got.Names.Added, names.Added) || !slices.Equal(got.Names.Removed, names.Removed) ||
		!slices.Equal(got.Names.Moved, names.Moved) {
		t.Errorf("names are %+v, want %+v", got.Names, names)
	}
	// Three of each image, and the artifact's manifest, empty config and file.
	var bytes int64
	for _, d := range got.Blobs.Added {
		bytes += int64(len(b.Blobs[d]))
	}
	if len(got.Blobs.Added) != 6 || len(got.Blobs.Removed) != 3 || got.Blobs.Bytes != bytes {
		t.Errorf("blobs are %+v, want 6 added of %d bytes and 3 removed", got.Blobs, bytes)
	}
	edge := layout.ReferrerEdge{Subject: one.Digest, Digest: text.Digest}
	if !slices.Equal(got.Referrers.Added, []layout.ReferrerEdge{edge}) || len(got.Referrers.Removed) != 0 {
		t.Errorf("referrers are %+v, want %+v added", got.Referrers, edge)
	}
}

// TestDiffImages compares two images of layouts that differ otherwise.
func TestDiffImages(t *testing.T) {
	a := build.Hello()
	b := build.Hello()
	b.Tag("other", b.Image(app("other")))
	b.Attach(b.Entries[0], "text/plain", []byte("text"))
	v1, other := b.Entries[:1], b.Entries[1:2]
	from, to := testkit.Layout(t, a), testkit.Layout(t, b)
	got, err := diff(t, from, to, layout.DiffOptions{From: v1, To: v1})
	if err != nil || !got.Equal {
		t.Errorf("%+v, %v, want equal", got, err)
	}
	got, err = diff(t, from, to, layout.DiffOptions{From: v1, To: other})
	if err != nil || got.Equal || len(got.Blobs.Added) != 3 || len(got.Blobs.Removed) != 3 {
		t.Errorf("%+v, %v, want three blobs each", got, err)
	}
}

// TestDiffSparse: what may be absent and is, is a difference to a layout that has
// it; what may not is an error.
func TestDiffSparse(t *testing.T) {
	whole := build.NewLayout()
	arm := whole.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	index := whole.Index(whole.Image(build.Image{}), arm)
	whole.Tag("v1", index)
	from, to := testkit.Layout(t, whole), testkit.Layout(t, whole, testkit.BrokenOK)
	remove(t, to, arm.Digest)
	got, err := diff(t, from, to, layout.DiffOptions{})
	if err != nil || got.Equal || len(got.Blobs.Removed) != 2 { // the manifest and its config
		t.Errorf("%+v, %v, want two blobs removed", got, err)
	}
	remove(t, to, index.Digest)
	if _, err := diff(t, from, to, layout.DiffOptions{}); !errors.Is(err, content.ErrMissing) {
		t.Errorf("%v, want ErrMissing", err)
	}
}

// TestDiffMissingLayer: so is a layer.
func TestDiffMissingLayer(t *testing.T) {
	l := build.Hello()
	m, err := content.ParseManifest("", l.Blobs[l.Entries[0].Digest])
	if err != nil {
		t.Fatal(err)
	}
	whole, broken := testkit.Layout(t, l), testkit.Layout(t, l, testkit.BrokenOK)
	remove(t, broken, m.Layers[0].Digest)
	if _, err := diff(t, whole, broken, layout.DiffOptions{}); !errors.Is(err, content.ErrMissing) {
		t.Errorf("%v, want ErrMissing", err)
	}
}

func remove(t *testing.T, dir string, d content.Digest) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(build.BlobPath(d)))); err != nil {
		t.Fatal(err)
	}
}
