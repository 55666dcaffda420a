package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// archives are small ones of each kind.
func archives() map[string][]byte {
	small := build.DockerImage{Image: build.Image{Layers: []build.Layer{appLayer("one"), appLayer("two")}}, Tags: []string{"app:1"}}
	b := build.NewLayout()
	b.Tag("v1", b.Image(build.Image{Layers: []build.Layer{appLayer("one")}}))
	b.Attach(b.Entries[0], "example/sbom", []byte("sbom"))
	return map[string][]byte{
		"docker":    build.Tar(build.DockerArchive(small)...),
		"docker 25": build.Tar(build.Docker25Archive(build.Hello())...),
		"oci":       b.Tar(),
		"gzip":      build.Compress("gzip", b.Tar()),
		"zstd":      build.Compress("zstd", build.Tar(build.DockerArchive(small)...)),
	}
}

// TestTruncated: an archive that ends early, anywhere before its last content,
// fails and changes nothing.
func TestTruncated(t *testing.T) {
	for name, archive := range archives() {
		t.Run(name, func(t *testing.T) {
			l := newLayout(t)
			before := indexFile(t, l)
			end := len(archive) - 1
			if name != "gzip" && name != "zstd" {
				end = len(bytes.TrimRight(archive, "\x00")) - 1
			}
			for n := 0; n < end; n += 1 + n/7 {
				_, err := importBytes(l, archive[:n], ingest.Options{})
				if !errors.Is(err, content.ErrCorrupt) && !errors.Is(err, content.ErrUnsupported) {
					t.Errorf("%d of %d bytes: %v", n, len(archive), err)
				}
				src := ingest.Source{Reader: io.MultiReader(bytes.NewReader(archive[:n])), Name: "-"}
				if _, second := ingest.Import(context.Background(), l, src, ingest.Options{}); second == nil {
					t.Errorf("%d of %d bytes as a stream: no error", n, len(archive))
				}
			}
			if !bytes.Equal(before, indexFile(t, l)) {
				t.Error("index.json changed")
			}
		})
	}
}

// TestFlipped: whatever byte is wrong, what is imported is whole. The end of the
// test verifies that.
func TestFlipped(t *testing.T) {
	for name, archive := range archives() {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(len(name))))
			l := newLayout(t)
			for range 150 {
				bad := bytes.Clone(archive)
				bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
				_, err := importBytes(l, bad, ingest.Options{})
				if err != nil && !classified(err) {
					t.Errorf("error of no kind: %v", err)
				}
			}
		})
	}
}

// classified says whether an error has a kind that is the archive's fault, or that of
// one before it, which had an entry of another type under the name of a list.
func classified(err error) bool {
	for _, kind := range []error{content.ErrCorrupt, content.ErrRefused, content.ErrUnsupported, content.ErrConflict} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func TestLimits(t *testing.T) {
	bomb := build.DockerImage{Image: build.Image{Layers: []build.Layer{{Files: []build.File{{Name: "zeros", Body: make([]byte, 8<<20)}}}}}, Tags: []string{"a:1"}}
	files := build.DockerArchive(bomb)
	for i, f := range files {
		if len(f.Body) > 1<<20 {
			files[i].Body = build.Compress("gzip", f.Body)
		}
	}
	for _, tt := range []struct {
		name   string
		data   []byte
		limits content.Limits
		kind   error
		word   string
	}{
		{"layer beyond its limit", build.Tar(files...), content.Limits{Layer: 4 << 20}, content.ErrRefused, "layer.tar"},
		{"manifest.json", build.Tar(saved()...), content.Limits{Manifest: 200}, content.ErrRefused, "manifest.json"},
		{"config", build.Tar(build.DockerArchive(build.DockerImage{Tags: []string{"a:1"}})...), content.Limits{Manifest: 300}, content.ErrRefused, ".json"},
		{"manifest", build.Hello().Tar(), content.Limits{Manifest: 100}, content.ErrRefused, "sha256:"},
		{"index.json", build.Hello().Tar(), content.Limits{Index: 100}, content.ErrRefused, "index.json"},
		{"members", build.Hello().Tar(), content.Limits{Members: 3}, content.ErrRefused, "3 members"},
		{"nodes", build.Hello().Tar(), content.Limits{Nodes: 2}, content.ErrRefused, "2 nodes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, tt.data, ingest.Options{Limits: tt.limits}, tt.kind, tt.word)
		})
	}
}

// TestBombAround: an archive compressed out of all proportion.
func TestBombAround(t *testing.T) {
	zeros := bytes.Repeat(make([]byte, 1<<20), 80)
	b := build.Hello()
	b.Extra = []build.File{{Name: "zeros", Body: zeros}}
	refuse(t, build.Compress("zstd", b.Tar()), ingest.Options{Limits: content.Limits{Ratio: 100}}, content.ErrRefused, "more than 100 times")
}

// TestManySmallMembers: what does not fit in memory is staged.
func TestManySmallMembers(t *testing.T) {
	b := build.NewLayout()
	var images []content.Descriptor
	for i := range 40 {
		images = append(images, b.Image(build.Image{
			Annotations: map[string]string{"pad": string(bytes.Repeat([]byte{'a' + byte(i%26)}, 300_000)), "n": itoa(int64(i))},
		}))
	}
	b.Tag("v1", b.Index(images...))
	l, result := mustImport(t, b.Tar(), ingest.Options{})
	if len(blobs(t, l)) != len(b.Blobs) || result.Blobs != len(b.Blobs) {
		t.Errorf("%d blobs, want %d", len(blobs(t, l)), len(b.Blobs))
	}
}

// TestLargeIndex: an index.json beyond what is held in memory.
func TestLargeIndex(t *testing.T) {
	b := build.Hello()
	d := b.Entries[0]
	for i := range 20 {
		d.Annotations = map[string]string{content.AnnotationRefName: "t" + itoa(int64(i)), "pad": string(bytes.Repeat([]byte("x"), 500_000))}
		b.Add(d)
	}
	l, _ := mustImport(t, b.Tar(), ingest.Options{})
	if got := names(t, l); len(got) != 21 {
		t.Errorf("%d names, want 21", len(got))
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, archive := range archives() {
		l := newLayout(t)
		for _, r := range []io.Reader{bytes.NewReader(archive), io.MultiReader(bytes.NewReader(archive))} {
			if _, err := ingest.Import(ctx, l, ingest.Source{Reader: r}, ingest.Options{}); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
	}
}

// counter adds up what was reported.
type counter struct{ last map[string]content.Event }

func (c *counter) Report(e content.Event) { c.last[e.Name] = e }

func TestProgress(t *testing.T) {
	archive := build.Tar(saved()...)
	c := &counter{last: map[string]content.Event{}}
	ctx := content.WithProgress(context.Background(), c)
	l := newLayout(t)
	if _, err := ingest.Import(ctx, l, ingest.Source{Reader: io.MultiReader(bytes.NewReader(archive)), Name: "a.tar"}, ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	if e := c.last["a.tar"]; e.Op != "import" || !e.Finished || e.Done != int64(len(archive)) || e.Total != -1 {
		t.Errorf("last event is %+v", e)
	}
}

// TestFileOffset: a file is read from where it stands.
func TestFileOffset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "archive")
	const before = 777
	if err := os.WriteFile(path, append(make([]byte, before), build.Tar(saved()...)...), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(before, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	l := newLayout(t)
	if _, err := ingest.Import(context.Background(), l, ingest.Source{Reader: f, Name: path}, ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := names(t, l); len(got) != 3 {
		t.Errorf("names are %q", got)
	}
}

// TestFailingReader: an error of the source is returned as it is.
func TestFailingReader(t *testing.T) {
	broken := errors.New("the cable was pulled")
	archive := build.Tar(saved()...)
	l := newLayout(t)
	r := io.MultiReader(bytes.NewReader(archive[:len(archive)/2]), failing{broken})
	if _, err := ingest.Import(context.Background(), l, ingest.Source{Reader: r}, ingest.Options{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzImport: no bytes make anything but an error, or a layout that is whole.
func FuzzImport(f *testing.F) {
	for _, archive := range archives() {
		f.Add(archive, false)
	}
	f.Add(build.Tar(appLayer("x").Files...), true)
	f.Fuzz(func(t *testing.T, data []byte, rootfs bool) {
		l, err := layout.Init(context.Background(), filepath.Join(t.TempDir(), "l"), layout.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		o := ingest.Options{Rootfs: rootfs, Limits: content.Limits{Layer: 1 << 20, Manifest: 1 << 16}}
		result, err := importBytes(l, build.MendSums(data), o)
		if err != nil {
			if !classified(err) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		for _, image := range result.Images {
			d := content.Descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size}
			if err := drain(l.Fetch(context.Background(), d)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
