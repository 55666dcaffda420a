package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	all, err := vector.Load("../testdata/vectors", 310)
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
// calls sound the store reads, and all others read alike.
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
		readAlike(t, data)
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
		if !report.OK {
			return
		}
		if err != nil {
			t.Errorf("verify is content, the walk is not: %v", err)
		}
		readAlike(t, data)
	})
}

// readAlike compares what two kinds of readers see in a manifest or index: those
// that ignore the case of keys, as Go's encoding/json, and those that do not.
func readAlike(t *testing.T, data []byte) {
	t.Helper()
	var folding content.Manifest
	if err := json.Unmarshal(data, &folding); err != nil {
		t.Fatal(err)
	}
	var exact map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&exact); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"config": one(folding.Config), "subject": one(folding.Subject),
		"layers": several(folding.Layers), "blobs": several(folding.Blobs), "manifests": several(folding.Manifests),
	}
	for key, seen := range got {
		want := ""
		switch value := exact[key].(type) {
		case map[string]any:
			want = edge(value)
		case []any:
			for _, item := range value {
				object, _ := item.(map[string]any)
				want += edge(object)
			}
		}
		if seen != want {
			t.Errorf("%s is %s to readers that ignore case, %s to others", key, seen, want)
		}
	}
}

// edge is what a reader that heeds case sees in a descriptor.
func edge(object map[string]any) string {
	mediaType, _ := object["mediaType"].(string)
	digest, _ := object["digest"].(string)
	number, _ := object["size"].(json.Number)
	size, _ := number.Int64() // absent is 0
	annotations, _ := object["annotations"].(map[string]any)
	name, _ := annotations[content.AnnotationRefName].(string)
	return fmt.Sprintf("%q %q %d %q\n", mediaType, digest, size, name)
}

func several(list []content.Descriptor) string {
	var all strings.Builder
	for _, d := range list {
		all.WriteString(one(&d))
	}
	return all.String()
}

// one is edge as a reader sees it that ignores case.
func one(d *content.Descriptor) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%q %q %d %q\n", d.MediaType, d.Digest, d.Size, d.Annotations[content.AnnotationRefName])
}
