package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// seed adds the bodies of every vector of a kind, none of which may be missing.
func seed(f *testing.F, kind string) {
	all, err := vector.Load("../testdata/vectors", 250)
	if err != nil {
		f.Fatal(err)
	}
	n := 0
	for _, v := range all {
		if v.Kind == kind {
			f.Add(v.Body)
			n++
		}
	}
	if n < 20 {
		f.Fatalf("%d seeds", n)
	}
}

// check writes a layout and verifies it.
func check(t *testing.T, l *build.Layout, limits content.Limits) (verify.Report, *layout.Reader) {
	t.Helper()
	dir := t.TempDir()
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	if len(l.IndexJSON) == 0 && l.IndexJSON != nil {
		if err := os.WriteFile(filepath.Join(dir, "index.json"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir)
	report, err := verify.Check(context.Background(), r, nil, verify.Options{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return report, r
}

// FuzzIndex: whatever index.json says, verify ends with a report, and what it
// calls sound the store reads.
func FuzzIndex(f *testing.F) {
	seed(f, "index")
	f.Fuzz(func(t *testing.T, data []byte) {
		l := build.Hello()
		l.IndexJSON = slices.Concat([]byte{}, data)
		report, r := check(t, l, content.Limits{Manifest: 1 << 20})
		err := r.View(context.Background(), func(x *layout.Index) error {
			for _, err := range x.Entries() {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if report.OK && err != nil {
			t.Errorf("verify is content, the store is not: %v", err)
		}
	})
}

// FuzzManifest: so for a manifest, which the walk of every other command reads.
func FuzzManifest(f *testing.F) {
	seed(f, "manifest")
	f.Fuzz(func(t *testing.T, data []byte) {
		l := build.Hello()
		delete(l.Blobs, l.Entries[0].Digest)
		l.Entries = nil
		l.Tag("v1", l.Put(ocispec.MediaTypeImageManifest, data))
		report, r := check(t, l, content.Limits{})
		d := l.Entries[0]
		err := content.Walk(context.Background(), r, []content.Descriptor{d}, content.WalkOptions{}, func(content.Node) error { return nil })
		if report.OK && err != nil {
			t.Errorf("verify is content, the walk is not: %v", err)
		}
	})
}
