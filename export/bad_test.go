package export_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// TestBadBlobs: whatever is wrong with a blob, in whatever role, no archive comes
// of it.
func TestBadBlobs(t *testing.T) {
	wrongs := []struct {
		name string
		with func(data []byte) []byte // nil removes the blob
		want error
	}{
		{"flipped", func(data []byte) []byte { data[len(data)/2] ^= 1; return data }, content.ErrDigest},
		{"truncated", func(data []byte) []byte { return data[:len(data)-1] }, content.ErrSize},
		{"trailing", func(data []byte) []byte { return append(data, 'x') }, content.ErrSize},
		{"missing", nil, content.ErrMissing},
	}
	for _, role := range []string{"manifest", "config", "layer"} {
		for _, wrong := range wrongs {
			t.Run(role+" "+wrong.name, func(t *testing.T) {
				l := build.NewLayout()
				// Larger than a buffer, so that the fault is in the middle of a stream.
				big := build.Layer{Files: []build.File{{Name: "big", Body: build.Random(1, 3<<20)}}}
				m := l.Image(build.Image{Layers: []build.Layer{big}})
				l.Tag("docker.io/library/app:v1", m)
				parsed, err := content.ParseManifest("", l.Blobs[m.Digest])
				if err != nil {
					t.Fatal(err)
				}
				d := map[string]content.Digest{"manifest": m.Digest, "config": parsed.Config.Digest, "layer": parsed.Layers[0].Digest}[role]
				if wrong.with == nil {
					delete(l.Blobs, d)
				} else {
					l.Blobs[d] = wrong.with(bytes.Clone(l.Blobs[d]))
				}
				found := roots(t, open(t, l))
				for _, form := range []export.Form{export.OCI, export.Docker, export.RootFS} {
					fails(t, found, export.Options{Form: form}, wrong.want)
				}
			})
		}
	}
}

// TestKeepsTheOldFile: a failing export leaves the archive that was there.
func TestKeepsTheOldFile(t *testing.T) {
	l := build.Hello()
	good := open(t, l)
	path := filepath.Join(t.TempDir(), "out.tar")
	if _, err := export.ToFile(context.Background(), path, roots(t, good), export.Options{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d, data := range l.Blobs {
		if data[0] == 0x1f { // the layer
			l.Blobs[d] = data[1:]
		}
	}
	if _, err := export.ToFile(context.Background(), path, roots(t, open(t, l)), export.Options{}); !errors.Is(err, content.ErrCorrupt) {
		t.Fatalf("export of a corrupt layout: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the old archive has changed (%v)", err)
	}
}

func TestTargets(t *testing.T) {
	found := roots(t, open(t, build.Hello()))
	ctx := context.Background()
	dir := t.TempDir()
	if _, err := export.ToFile(ctx, dir, found, export.Options{}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("to a directory: %v", err)
	}
	if _, err := export.ToFile(ctx, filepath.Join(dir, "absent", "x.tar"), found, export.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("to an absent directory: %v", err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("links and devices are of unix")
	}
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink("file", link)); err != nil {
		t.Fatal(err)
	}
	if _, err := export.ToFile(ctx, link, found, export.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced (%v)", err)
	}
	if data, err := os.ReadFile(file); err != nil || len(data) == 0 {
		t.Errorf("the link's file was not written (%v)", err)
	}
	if _, err := export.ToFile(ctx, os.DevNull, found, export.Options{}); err != nil {
		t.Errorf("to a device: %v", err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("the device was replaced (%v)", err)
	}
}

// failing is a stream that ends early, as a pipe into a program that has ended.
type failing struct{ left int }

var errPipe = errors.New("broken pipe")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errPipe
	}
	return len(p), nil
}

func TestBrokenPipe(t *testing.T) {
	l := build.NewLayout()
	l.Tag("docker.io/library/app:v1", l.Image(build.Image{Layers: []build.Layer{
		{Compression: "none", Files: []build.File{{Name: "a", Body: build.Random(1, 4<<20)}}},
		{Compression: "none", Files: []build.File{{Name: "b", Body: build.Random(2, 4<<20)}}},
	}}))
	found := roots(t, open(t, l))
	for _, form := range []export.Form{export.OCI, export.Docker, export.RootFS} {
		for _, left := range []int{0, 1 << 20, 8 << 20} {
			if _, err := export.ToWriter(context.Background(), &failing{left}, found, export.Options{Form: form}); !errors.Is(err, errPipe) {
				t.Errorf("%s, %d bytes: %v", form, left, err)
			}
		}
	}
}

func TestCancelled(t *testing.T) {
	found := roots(t, open(t, build.Hello()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, form := range []export.Form{export.OCI, export.Docker, export.RootFS} {
		if _, err := export.ToWriter(ctx, io.Discard, found, export.Options{Form: form}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// TestSizesThatDisagree: two descriptors of one blob, of which one lies.
func TestSizesThatDisagree(t *testing.T) {
	l := build.Hello()
	e := l.Entries[0]
	e.Size++
	e.Annotations = nil
	l.Add(e)
	fails(t, roots(t, open(t, l)), export.Options{}, content.ErrSize)
}

// TestDeepIndexes: a chain of indexes deeper than the limit.
func TestDeepIndexes(t *testing.T) {
	l := build.NewLayout()
	d := l.Image(build.Image{})
	d.Platform = nil
	for range 20 {
		d = l.Index(d)
	}
	l.Tag("deep", d)
	fails(t, roots(t, open(t, l)), export.Options{}, content.ErrRefused)
}

// TestTwoSizes: two entries of one digest that disagree about its size make no archive,
// whatever their types are and whichever comes first.
func TestTwoSizes(t *testing.T) {
	for _, mediaType := range []string{ocispec.MediaTypeImageManifest, "application/vnd.example.unknown"} {
		for _, first := range []bool{false, true} {
			l := build.Hello()
			wrong := l.Entries[0]
			wrong.MediaType, wrong.Annotations = mediaType, nil
			wrong.Size--
			l.Add(wrong)
			if first {
				slices.Reverse(l.Entries)
			}
			fails(t, roots(t, open(t, l)), export.Options{}, content.ErrSize)
		}
	}
}
