package verify_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/verify"
)

// linkBlobs puts every blob of a layout elsewhere, and symbolic links in their
// place, as Bazel's rules do.
func linkBlobs(t *testing.T, dir, store string) {
	t.Helper()
	blobs, err := os.ReadDir(filepath.Join(dir, "blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		from, to := filepath.Join(dir, "blobs/sha256", b.Name()), filepath.Join(store, b.Name())
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, from); err != nil {
			t.Skip(err) // Windows without the right to
		}
	}
}

func TestLinkedBlobs(t *testing.T) {
	dir := testkit.Layout(t, build.Hello())
	linkBlobs(t, dir, t.TempDir())
	if got := testkit.Verify(t, dir); !got.OK || len(got.Problems) != 0 || got.Checked.Blobs != 3 {
		t.Errorf("%+v, want three sound blobs", got)
	}
}

// TestLinkedBlobsOnce: a large blob behind a link is read once too.
func TestLinkedBlobsOnce(t *testing.T) {
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{{Name: "large", Body: build.Random(1, 1<<20)}}}}}))
	dir := testkit.Layout(t, l)
	linkBlobs(t, dir, t.TempDir())
	var seen bytesOf
	ctx := content.WithProgress(context.Background(), &seen)
	if got, err := verify.Check(ctx, open(t, dir), nil, verify.Options{}); err != nil || !got.OK {
		t.Fatalf("%+v, %v", got, err)
	}
	name := content.Short(layerOf(t, l).Digest)
	if size := int64(len(l.Blobs[layerOf(t, l).Digest])); seen.done["verify "+name] != size || seen.done["prove "+name] != 0 {
		t.Errorf("of %d bytes read: %v", size, seen.done)
	}
}

// bytesOf notes how many bytes were read by each work.
type bytesOf struct {
	mu   sync.Mutex
	done map[string]int64
}

func (b *bytesOf) Report(e content.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done == nil {
		b.done = map[string]int64{}
	}
	b.done[e.Op+" "+e.Name] = e.Done
}

// TestLinkToOther: a link to what is no such blob is a wrong digest.
func TestLinkToOther(t *testing.T) {
	l := build.Hello()
	dir, store := testkit.Layout(t, l, testkit.BrokenOK), t.TempDir()
	linkBlobs(t, dir, store)
	layer := layerOf(t, l)
	if err := os.WriteFile(filepath.Join(store, layer.Digest.Encoded()), []byte("a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := testkit.Verify(t, dir)
	for _, p := range got.Problems {
		if p.Digest != layer.Digest {
			t.Errorf("%+v is not about the layer", p)
		}
	}
	if got.OK || len(got.Problems) != 2 { // digest and size
		t.Errorf("%+v, want blob-digest and blob-size", got.Problems)
	}
}

// TestReadOnly: a layout on read-only media is verified where it lies.
func TestReadOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of directories mean nothing here")
	}
	dir := testkit.Layout(t, build.Hello())
	for _, sub := range []string{"blobs/sha256", "blobs", "."} {
		path := filepath.Join(dir, sub)
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, 0o755) }) // so that it can be removed
	}
	if got := testkit.Verify(t, dir); !got.OK {
		t.Errorf("%+v", got)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%v, %v: something was written", files, err)
	}
}

// TestDirectoryForBlob: the report of a blob that is no regular file does not depend
// on whether something refers to it.
func TestDirectoryForBlob(t *testing.T) {
	for name, edit := range map[string]func(l *build.Layout) content.Digest{
		"referenced": func(l *build.Layout) content.Digest {
			d := layerOf(t, l).Digest
			delete(l.Blobs, d)
			return d
		},
		"unreferenced": func(*build.Layout) content.Digest { return build.Descriptor("", []byte("x")).Digest },
	} {
		l := build.Hello()
		d := edit(l)
		dir := testkit.Layout(t, l, testkit.BrokenOK)
		if err := os.Mkdir(filepath.Join(dir, filepath.FromSlash(build.BlobPath(d))), 0o755); err != nil {
			t.Fatal(err)
		}
		got := testkit.Verify(t, dir)
		if got.OK || len(got.Problems) != 1 || got.Problems[0].ID != verify.BlobType || got.Problems[0].Digest != d {
			t.Errorf("%s: %+v, want %s", name, got.Problems, verify.BlobType)
		}
	}
}

// layerOf is the first layer of the first entry.
func layerOf(t *testing.T, l *build.Layout) content.Descriptor {
	t.Helper()
	m, err := content.ParseManifest("", l.Blobs[l.Entries[0].Digest])
	if err != nil {
		t.Fatal(err)
	}
	return m.Layers[0]
}
