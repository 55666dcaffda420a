package verify_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// TestCounts: every blob is counted once, however often it is referred to.
func TestCounts(t *testing.T) {
	l := build.NewLayout()
	amd := l.Image(build.Image{})
	arm := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}}) // the same layer
	l.Tag("v1", l.Index(amd, arm))
	l.Tag("v2", amd)
	l.Attach(amd, "text/plain", []byte("text"))
	l.Put("", []byte("garbage"))
	var bytes int64
	for _, data := range l.Blobs {
		bytes += int64(len(data))
	}
	dir := testkit.Layout(t, l)
	for _, path := range []string{dir, testkit.Archive(t, "l.tar", l.Files()...)} {
		got := testkit.Verify(t, path)
		want := verify.Checked{Manifests: 5, Blobs: len(l.Blobs), Bytes: bytes}
		if !got.OK || got.Checked != want {
			t.Errorf("%s: ok %v, checked %+v, want %+v", path, got.OK, got.Checked, want)
		}
		if len(got.Problems) != 1 || got.Problems[0].ID != verify.Unreferenced {
			t.Errorf("%s: %+v, want one unreferenced blob", path, got.Problems)
		}
	}
}

// TestRoots: of a layout with a broken image beside a sound one, only what a root
// reaches is judged.
func TestRoots(t *testing.T) {
	l := build.Hello()
	other := l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("other", "other")}}}})
	l.Tag("v2", other)
	l.Blobs[other.Digest] = bytes.ToUpper(l.Blobs[other.Digest])
	dir := testkit.Layout(t, l, testkit.BrokenOK)
	r := open(t, dir)
	for name, ok := range map[string]bool{"v1": true, "v2": false} {
		root, err := r.Resolve(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verify.Check(context.Background(), r, []content.Descriptor{root}, verify.Options{})
		if err != nil || got.OK != ok {
			t.Errorf("%s: %+v, %v, want ok %v", name, got, err, ok)
		}
		for _, p := range got.Problems {
			if p.ID == verify.Unreferenced {
				t.Errorf("%s: %+v of one image", name, p)
			}
		}
	}
}

// TestEqualReports: the order in which workers end shows nowhere.
func TestEqualReports(t *testing.T) {
	l := build.NewLayout()
	for i := range 20 {
		d := l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{{Name: "f", Body: build.Random(uint64(i), 5000)}}}}})
		l.Tag("same", d)
		m, err := content.ParseManifest("", l.Blobs[d.Digest])
		if err != nil {
			t.Fatal(err)
		}
		l.Blobs[m.Layers[0].Digest][100] ^= 1
	}
	dir := testkit.Layout(t, l, testkit.BrokenOK)
	var first []verify.Problem
	for workers := range 4 {
		got, err := verify.Check(context.Background(), open(t, dir), nil, verify.Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got.Problems
		}
		if len(got.Problems) != 39 || !slices.Equal(got.Problems, first) {
			t.Errorf("%d workers: %d problems, or another order; want 20 digests and 19 names", workers, len(got.Problems))
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := verify.Check(ctx, open(t, testkit.Layout(t, build.Hello())), nil, verify.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// TestLimits: what is over a limit is told, and the rest is judged.
func TestLimits(t *testing.T) {
	dir := testkit.Layout(t, build.Hello())
	for name, c := range map[string]struct {
		limits content.Limits
		id     string
	}{
		"manifest": {content.Limits{Manifest: 300}, verify.TooLarge},
		"layer":    {content.Limits{Layer: 1024}, verify.TooLarge},
		"members":  {content.Limits{Members: 1}, verify.TooLarge},
		"index":    {content.Limits{Index: 300}, verify.TooLarge},
		"nesting":  {content.Limits{Depth: 3}, verify.Depth},
	} {
		got, err := verify.Check(context.Background(), open(t, dir), nil, verify.Options{Limits: c.limits})
		if err != nil || got.OK || !slices.ContainsFunc(got.Problems, func(p verify.Problem) bool { return p.ID == c.id }) {
			t.Errorf("%s: %+v, %v, want %s", name, got, err, c.id)
		}
	}
}

// TestManyProblems: a report does not grow with what hostile content asks for.
func TestManyProblems(t *testing.T) {
	l := build.NewLayout()
	for i := range 12_000 {
		d := build.Descriptor("application/vnd.oci.image.manifest.v1+json", build.Random(uint64(i), 8))
		l.Add(d)
	}
	got := testkit.Verify(t, testkit.Layout(t, l, testkit.BrokenOK))
	if got.OK || len(got.Problems) != 10_001 || got.Problems[0].Message != "and 2000 more" {
		t.Errorf("%d problems, the first %+v; want 10,000 and a count of the others", len(got.Problems), got.Problems[0])
	}
}

func open(t *testing.T, path string) *layout.Reader {
	t.Helper()
	r, err := layout.OpenReader(filepath.Clean(path), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// TestLongList: one subject may have more referrers than other manifests may have
// bytes.
func TestLongList(t *testing.T) {
	l := build.Hello()
	image := l.Entries[0]
	var list []content.Descriptor
	for i := range 30 {
		list = append(list, l.Artifact("text/plain", &image, build.Random(uint64(i), 10)))
	}
	l.Tag(build.FallbackTag(image.Digest), l.Index(list...))
	got, err := verify.Check(context.Background(), open(t, testkit.Layout(t, l)), nil, verify.Options{Limits: content.Limits{Manifest: 2000}})
	if err != nil || !got.OK {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestLargeManifests: of many that are large some are read at a time, and all in the end.
func TestLargeManifests(t *testing.T) {
	l := build.NewLayout()
	padding := strings.Repeat("x", 3<<20)
	for i := range 16 {
		d := l.Image(build.Image{Annotations: map[string]string{"padding": padding, "n": strconv.Itoa(i)}})
		l.Tag("v"+strconv.Itoa(i), d)
	}
	got, err := verify.Check(context.Background(), open(t, testkit.Layout(t, l, testkit.BrokenOK)), nil, verify.Options{Level: verify.Quick})
	if err != nil || !got.OK || got.Checked.Manifests != 16 {
		t.Errorf("%+v, %v", got, err)
	}
}
