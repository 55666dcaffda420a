package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

func TestDocker25(t *testing.T) {
	b := build.NewLayout()
	b.Tag(appName, b.Image(build.Image{Layers: []build.Layer{{Files: base.Files, Compression: "none"}}}))
	b.Tag("docker.io/library/db:latest", b.Image(build.Image{Layers: []build.Layer{appLayer("two")}}))
	want := b.Digests()
	b.Put("application/octet-stream", []byte("nobody lists this"))
	l, result := mustImport(t, build.Tar(build.Docker25Archive(b)...), ingest.Options{})
	if got := names(t, l); !slices.Equal(got, []string{appName, "docker.io/library/db:latest"}) {
		t.Errorf("names are %q", got)
	}
	if got := blobs(t, l); !slices.Equal(got, want) {
		t.Errorf("blobs are %v, want %v", got, want)
	}
	if result.Blobs != len(want) || len(result.Images) != 2 {
		t.Errorf("result is %+v", result)
	}
	for _, mode := range []ingest.Compression{ingest.Gzip, ingest.Zstd, ingest.NoCompression} {
		refuse(t, build.Tar(build.Docker25Archive(b)...), ingest.Options{Compress: mode}, content.ErrInvalid, "mutate")
	}
}

// TestOCIArchive: nested indexes, names of all kinds, absent platforms.
func TestOCIArchive(t *testing.T) {
	b := build.NewLayout()
	amd := b.Image(build.Image{})
	arm := build.Blobs{}.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	multi := b.Index(b.Index(amd), arm)
	b.Tag("v1", multi)
	b.Tag("v2", multi)
	b.Tag("reg.example/team/app:v1", amd)
	b.Add(b.Image(build.Image{Layers: []build.Layer{appLayer("untagged")}}))
	odd := amd
	odd.Annotations = map[string]string{content.AnnotationRefName: "odd", "com.example.unknown": "<kept>"}
	b.Add(odd)
	b.Attach(amd, "application/vnd.example.sbom", []byte("sbom"))
	l, result := mustImport(t, b.Tar(), ingest.Options{})
	if got := names(t, l); !slices.Equal(got, []string{"", "odd", "reg.example/team/app:v1", build.FallbackTag(amd.Digest), "v1", "v2"}) {
		t.Errorf("names are %q", got)
	}
	if !slices.Equal(blobs(t, l), b.Digests()) {
		t.Error("the blobs are others")
	}
	if len(result.Absent) != 1 || result.Absent[0].Digest != arm.Digest || result.Absent[0].Platform != "linux/arm64" {
		t.Errorf("absent are %+v", result.Absent)
	}
	for _, e := range entries(t, l) {
		if e.Name() == "odd" && e.Annotations["com.example.unknown"] != "<kept>" {
			t.Errorf("entry is %s", e.Raw)
		}
	}
}

func TestRawEntrySurvives(t *testing.T) {
	b := build.Hello()
	e := b.Entries[0]
	raw := `{"mediaType":"` + e.MediaType + `","digest":"` + e.Digest.String() + `","size":` + itoa(e.Size) +
		`,"annotations":{"org.opencontainers.image.ref.name":"v1","z":"\u00e9"},"x-unknown":{"n":1.50,"big":123456789012345678901}}`
	b.IndexJSON = []byte(`{"schemaVersion":2,"manifests":[` + raw + `]}`)
	l, _ := mustImport(t, b.Tar(), ingest.Options{})
	if got := entries(t, l); string(got[0].Raw) != raw {
		t.Errorf("got  %s\nwant %s", got[0].Raw, raw)
	}
}

func itoa(n int64) string { return string(build.JSON(n)) }

// TestLastIndexCounts: tools append a new index.json to an archive.
func TestLastIndexCounts(t *testing.T) {
	b := build.Hello()
	stale := build.Text("index.json", `{"schemaVersion":2,"manifests":[]}`)
	l, _ := mustImport(t, build.Tar(append([]build.File{stale}, b.Files()...)...), ingest.Options{})
	if got := names(t, l); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("names are %q", got)
	}
}

func TestTwice(t *testing.T) {
	files := build.Hello().Files()
	twice := append(slices.Clone(files), files...)
	if l, _ := mustImport(t, build.Tar(twice...), ingest.Options{}); len(names(t, l)) != 1 {
		t.Errorf("names are %q", names(t, l))
	}
	other := saved()
	for _, f := range other {
		if strings.HasSuffix(f.Name, "layer.tar") {
			other = append(other, build.File{Name: f.Name, Body: appLayer("other").Plain()})
			break
		}
	}
	refuse(t, build.Tar(other...), ingest.Options{}, content.ErrRefused, "twice")
	refuse(t, build.Tar(append(saved(), build.Text("VERSION", "1"), build.Text("VERSION", "2"))...), ingest.Options{}, content.ErrRefused, "VERSION")
}

// TestOCIContradictions: broken references and lies in an archive of a layout.
func TestOCIContradictions(t *testing.T) {
	type archive = *build.Layout
	image := func(b archive) content.Descriptor { return b.Entries[0] }
	manifest := func(b archive) content.Manifest {
		m, err := content.ParseManifest("", b.Blobs[image(b).Digest])
		if err != nil {
			panic(err)
		}
		return m
	}
	entry := func(s string) func(archive) {
		return func(b archive) {
			b.IndexJSON = []byte(strings.Replace(string(b.IndexFile()), `"digest":"`+image(b).Digest.String()+`"`, `"digest":"`+s+`"`, 1))
		}
	}
	for _, tt := range []struct {
		name  string
		edit  func(b archive)
		kind  error
		words []string
	}{
		{"root is absent", func(b archive) { delete(b.Blobs, image(b).Digest) }, content.ErrMissing, nil},
		{"config is absent", func(b archive) { delete(b.Blobs, manifest(b).Config.Digest) }, content.ErrMissing, []string{"a config of sha256:"}},
		{"layer is absent", func(b archive) { delete(b.Blobs, manifest(b).Layers[0].Digest) }, content.ErrMissing, []string{"a layer of sha256:"}},
		{"flipped byte", func(b archive) { b.Blobs[manifest(b).Layers[0].Digest][30] ^= 1 }, content.ErrDigest, []string{"blobs/sha256/"}},
		{"layer cut short", func(b archive) {
			d := manifest(b).Layers[0].Digest
			b.Blobs[d] = b.Blobs[d][:20]
		}, content.ErrDigest, nil},
		{"size is a lie", func(b archive) { b.Entries[0].Size++ }, content.ErrSize, nil},
		{"size is negative", func(b archive) { b.Entries[0].Size = -1 }, content.ErrCorrupt, nil},
		{"no media type", func(b archive) { b.Entries[0].MediaType = "" }, content.ErrCorrupt, []string{"mediaType"}},
		{"digest leads outside", entry("sha256:../../../../etc/passwd"), content.ErrCorrupt, nil},
		{"digest of another algorithm", entry("blake3:abcdef"), content.ErrMissing, nil},
		{"index.json is no JSON", func(b archive) { b.IndexJSON = []byte(`{"manifests":[`) }, content.ErrCorrupt, []string{"index.json"}},
		{"index.json is a list", func(b archive) { b.IndexJSON = []byte(`[]`) }, content.ErrCorrupt, []string{"index.json"}},
		{"two lists", func(b archive) { b.IndexJSON = []byte(`{"manifests":[],"Manifests":[]}`) }, content.ErrCorrupt, []string{"index.json"}},
		{"manifests in another case", func(b archive) { b.IndexJSON = []byte(`{"Manifests":[]}`) }, content.ErrCorrupt, []string{"Manifests"}},
		{"a key in another case", func(b archive) {
			b.IndexJSON = bytes.Replace(b.IndexFile(), []byte(`[{"mediaType"`), []byte(`[{"mediatype"`), 1)
		}, content.ErrCorrupt, []string{"mediatype"}},
		{"a key twice in an entry", func(b archive) {
			b.IndexJSON = bytes.Replace(b.IndexFile(), []byte(`[{"mediaType"`), []byte(`[{"x":1,"x":2,"mediaType"`), 1)
		}, content.ErrCorrupt, []string{"is there twice"}},
		{"nested too deep", func(b archive) {
			deep := strings.Repeat("[", 50) + strings.Repeat("]", 50)
			b.IndexJSON = []byte(`{"x":` + deep + `,"manifests":[]}`)
		}, content.ErrCorrupt, []string{"deep"}},
		{"no list", func(b archive) { b.IndexJSON = []byte(`{"schemaVersion":2}`) }, content.ErrCorrupt, []string{"index.json"}},
		{"list is null", func(b archive) { b.IndexJSON = []byte(`{"manifests":null}`) }, content.ErrCorrupt, []string{"index.json"}},
		{"trailing data", func(b archive) { b.IndexJSON = append(b.IndexFile(), "{}"...) }, content.ErrCorrupt, []string{"index.json"}},
		{"another version", func(b archive) { b.OCILayout = []byte(`{"imageLayoutVersion":"2.0.0"}`) }, content.ErrUnsupported, []string{"oci-layout", `"2.0.0"`}},
		{"no version", func(b archive) { b.OCILayout = []byte(`{}`) }, content.ErrUnsupported, []string{"oci-layout"}},
		{"oci-layout is no JSON", func(b archive) { b.OCILayout = []byte(`1.0.0`) }, content.ErrCorrupt, []string{"oci-layout", "JSON"}},
		{"a blob is a link", func(b archive) {
			b.Extra = []build.File{build.Symlink(build.BlobPath(manifest(b).Layers[0].Digest), "../../x")}
		}, content.ErrRefused, []string{"link"}},
		{"index.json is a link", func(b archive) { b.Extra = []build.File{build.Symlink("index.json", "x")} }, content.ErrRefused, []string{"index.json"}},
		{"member outside", func(b archive) { b.Extra = []build.File{build.Text("../evil", "x")} }, content.ErrRefused, []string{"../evil"}},
		{"absolute member", func(b archive) { b.Extra = []build.File{build.Text("/etc/evil", "x")} }, content.ErrRefused, []string{"/etc/evil"}},
		{"two readings", func(b archive) {
			d := b.Put(image(b).MediaType, []byte(`{"schemaVersion":2,"manifests":[],"layers":[]}`))
			b.Tag("two", d)
		}, content.ErrCorrupt, []string{"manifests beside"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := build.NewLayout()
			b.Tag("v1", b.Image(build.Image{Layers: []build.Layer{appLayer("one")}}))
			tt.edit(b)
			refuse(t, b.Tar(), ingest.Options{}, tt.kind, tt.words...)
		})
	}
}

// TestForeignLayer: a layer that need not be distributed may be absent.
func TestForeignLayer(t *testing.T) {
	b := build.NewLayout()
	layer := build.Layer{Files: base.Files, MediaType: content.DockerForeignLayer}
	d := b.Image(build.Image{Layers: []build.Layer{layer}})
	b.Tag("v1", d)
	delete(b.Blobs, build.Descriptor("", build.Compress("gzip", layer.Plain())).Digest)
	mustImport(t, b.Tar(), ingest.Options{})
}

// TestUnverifiable: a blob of an algorithm we can't check is no reason to fail, as
// long as nothing needs it.
func TestUnverifiable(t *testing.T) {
	b := build.Hello()
	b.Extra = []build.File{build.Text("blobs/blake3/abcdef", "x")}
	mustImport(t, b.Tar(), ingest.Options{})
	b.Add(content.Descriptor{MediaType: "application/octet-stream", Digest: "blake3:abcdef", Size: 1})
	refuse(t, b.Tar(), ingest.Options{}, content.ErrUnsupported, "blake3")
}

// TestReplacesWrongBlobs: a blob that is there but wrong gives way.
func TestReplacesWrongBlobs(t *testing.T) {
	for _, archive := range [][]byte{build.Tar(saved()...), build.Hello().Tar()} {
		l, _ := mustImport(t, archive, ingest.Options{})
		for i, d := range blobs(t, l) {
			path := filepath.Join(l.Path(), filepath.FromSlash(build.BlobPath(d)))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[0] ^= 1
			if i%2 == 0 {
				data = data[:len(data)/2]
			}
			if err := errors.Join(os.Remove(path), os.WriteFile(path, data, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := importBytes(l, archive, ingest.Options{}); err != nil {
			t.Fatal(err)
		}
		// The end of the test verifies every blob.
	}
}

func TestPolicy(t *testing.T) {
	one, two := build.NewLayout(), build.NewLayout()
	one.Tag("v1", one.Image(build.Image{Layers: []build.Layer{appLayer("one")}}))
	two.Tag("v1", two.Image(build.Image{Layers: []build.Layer{appLayer("two")}}))
	two.Tag("v2", two.Entries[0])
	start := func() *layout.Layout {
		l, _ := mustImport(t, one.Tar(), ingest.Options{})
		return l
	}
	l := start()
	result, err := importBytes(l, two.Tar(), ingest.Options{})
	if err != nil || !result.Changes[0].Moved() || result.Changes[0].Old != one.Entries[0].Digest {
		t.Errorf("overwrite: %+v, %v", result.Changes, err)
	}
	l = start()
	if result, err = importBytes(l, two.Tar(), ingest.Options{Policy: layout.Skip}); err != nil || !result.Changes[0].Skipped {
		t.Errorf("skip: %+v, %v", result.Changes, err)
	}
	if d, err := l.Resolve(context.Background(), "v1"); err != nil || d.Digest != one.Entries[0].Digest {
		t.Errorf("skip: v1 is %v, %v", d.Digest, err)
	}
	l = start()
	before := indexFile(t, l)
	if _, err = importBytes(l, two.Tar(), ingest.Options{Policy: layout.Fail}); !errors.Is(err, content.ErrConflict) {
		t.Errorf("fail: %v", err)
	}
	if !bytes.Equal(before, indexFile(t, l)) {
		t.Error("fail: index.json changed")
	}
}
