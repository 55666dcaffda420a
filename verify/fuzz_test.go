package verify_test

import (
	"context"
	"os"
	"path/filepath"
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
	all, err := vector.Load("../testdata/vectors", 280)
	if err != nil {
		f.Fatal(err)
	}
	n := 0
	for _, v := range all {
		if v.Kind == kind && len(v.Body) < 64<<10 { // larger ones make slow seeds
			f.Add(v.Body)
			n++
		}
	}
	if n < 20 {
		f.Fatalf("%d seeds", n)
	}
}

// bench is one directory in which a fuzzer changes the least that it can.
type bench struct{ dir string }

func newBench(f *testing.F) bench {
	b := bench{f.TempDir()}
	if err := build.Hello().WriteDir(b.dir); err != nil {
		f.Fatal(err)
	}
	return b
}

func (b bench) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, filepath.FromSlash(name)), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// check verifies the layout as it is now.
func (b bench) check(t *testing.T) (verify.Report, *layout.Reader) {
	t.Helper()
	r := open(t, b.dir)
	report, err := verify.Check(context.Background(), r, nil, verify.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	return report, r
}

// FuzzIndex: whatever index.json says, verify ends with a report, and what it
// calls sound the store reads.
func FuzzIndex(f *testing.F) {
	seed(f, "index")
	b := newBench(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		b.write(t, "index.json", data)
		report, r := b.check(t)
		if !report.OK {
			return
		}
		err := r.View(context.Background(), func(x *layout.Index) error {
			for _, err := range x.Entries() {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("verify is content, the store is not: %v", err)
		}
	})
}

// FuzzManifest: so for a manifest, which the walk of every other command reads.
func FuzzManifest(f *testing.F) {
	seed(f, "manifest")
	b := newBench(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := build.Descriptor(ocispec.MediaTypeImageManifest, data)
		b.write(t, "index.json", build.JSON(build.IndexOf(d)))
		b.write(t, build.BlobPath(d.Digest), data)
		defer func() { _ = os.Remove(filepath.Join(b.dir, filepath.FromSlash(build.BlobPath(d.Digest)))) }()
		report, r := b.check(t)
		err := content.Walk(context.Background(), r, []content.Descriptor{d}, content.WalkOptions{}, func(content.Node) error { return nil })
		if report.OK && err != nil {
			t.Errorf("verify is content, the walk is not: %v", err)
		}
	})
}
