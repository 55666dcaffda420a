package ingest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// base is a layer that two images share, larger than a block of the compressor.
var base = build.Layer{Files: []build.File{
	build.Dir("usr"), {Name: "usr/big", Body: bytes.Repeat(build.Random(1, 1<<16), 18)}, build.Text("usr/small", "x"),
}}

func appLayer(s string) build.Layer {
	return build.Layer{Files: []build.File{build.Dir("app"), build.Text("app/"+s, s)}}
}

// saved is an archive of two images that share their first layer.
func saved() []build.File {
	return build.DockerArchive(
		build.DockerImage{Image: build.Image{Layers: []build.Layer{base, appLayer("one")}}, Tags: []string{"app:latest", "app:1.0"}},
		build.DockerImage{Image: build.Image{Layers: []build.Layer{base, appLayer("two")}}, Tags: []string{"reg.example:5000/team/db:latest"}},
	)
}

const (
	appName = "docker.io/library/app:latest"
	app1    = "docker.io/library/app:1.0"
	dbName  = "reg.example:5000/team/db:latest"
)

func TestDockerArchive(t *testing.T) {
	l, result := mustImport(t, build.Tar(saved()...), ingest.Options{})
	if got, want := names(t, l), []string{app1, appName, dbName}; !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
	m := manifestOf(t, l, appName)
	wantConfig := build.Image{Layers: []build.Layer{base, appLayer("one")}}.Config()
	if got := fetch(t, l, *m.Config); !bytes.Equal(got, wantConfig) {
		t.Errorf("config is %s", got)
	}
	if m.MediaType != ocispec.MediaTypeImageManifest || m.Config.MediaType != ocispec.MediaTypeImageConfig {
		t.Errorf("types are %s and %s", m.MediaType, m.Config.MediaType)
	}
	for i, want := range [][]byte{base.Plain(), appLayer("one").Plain()} {
		if got := gunzip(t, fetch(t, l, m.Layers[i])); !bytes.Equal(got, want) || m.Layers[i].MediaType != ocispec.MediaTypeImageLayerGzip {
			t.Errorf("layer %d is %s of %d bytes, want %d", i, m.Layers[i].MediaType, len(got), len(want))
		}
	}
	if db := manifestOf(t, l, dbName); db.Layers[0].Digest != m.Layers[0].Digest {
		t.Error("the layer that both share was stored twice")
	}
	if result.Blobs != 2+2+3 || len(blobs(t, l)) != result.Blobs {
		t.Errorf("%d blobs of %v", result.Blobs, blobs(t, l))
	}
	for _, e := range entries(t, l) {
		if e.Platform == nil || content.FormatPlatform(*e.Platform) != "linux/amd64" {
			t.Errorf("entry %s has platform %v", e.Name(), e.Platform)
		}
	}
}

func gunzip(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// TestOrderAndCompression: neither the order of the members nor the compression
// of the whole changes what is made of it.
func TestOrderAndCompression(t *testing.T) {
	first, _ := mustImport(t, build.Tar(saved()...), ingest.Options{})
	want := indexFile(t, first)
	backwards := saved()
	slices.Reverse(backwards)
	archives := map[string][]byte{"backwards": build.Tar(backwards...)}
	for _, format := range []string{"gzip", "zstd", "xz"} {
		archives[format] = build.Compress(format, build.Tar(saved()...))
	}
	for name, archive := range archives {
		t.Run(name, func(t *testing.T) {
			l, _ := mustImport(t, archive, ingest.Options{})
			if got := indexFile(t, l); !bytes.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestAgain: a second import changes nothing.
func TestAgain(t *testing.T) {
	archive := build.Tar(saved()...)
	l, _ := mustImport(t, archive, ingest.Options{})
	before := indexFile(t, l)
	result, err := importBytes(l, archive, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, indexFile(t, l)) {
		t.Error("index.json changed")
	}
	for _, c := range result.Changes {
		if c.Moved() {
			t.Errorf("%+v", c)
		}
	}
}

func TestUntagged(t *testing.T) {
	archive := build.Tar(build.DockerArchive(build.DockerImage{})...)
	l, result := mustImport(t, archive, ingest.Options{})
	if _, err := importBytes(l, archive, ingest.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, l); len(got) != 1 || got[0].Name() != "" || got[0].Digest != result.Images[0].Digest {
		t.Errorf("entries are %+v", got)
	}
}

// rewrite edits manifest.json of an archive.
func rewrite(files []build.File, edit func(list []map[string]any)) []build.File {
	files = slices.Clone(files)
	for i, f := range files {
		if f.Name != "manifest.json" {
			continue
		}
		var list []map[string]any
		if err := json.Unmarshal(f.Body, &list); err != nil {
			panic(err)
		}
		edit(list)
		files[i].Body = build.JSON(list)
	}
	return files
}

// TestLinks: layers may be links to other members, wherever these are.
func TestLinks(t *testing.T) {
	layer := base.Plain()
	conf := build.Image{Layers: []build.Layer{base}}.Config()
	list := func(layerName string) build.File {
		return build.File{Name: "manifest.json", Body: build.JSON([]map[string]any{
			{"Config": "c.json", "RepoTags": []string{"a:1"}, "Layers": []string{layerName}},
		})}
	}
	config := build.File{Name: "c.json", Body: conf}
	good := map[string][]build.File{
		"symlink":      {build.Symlink("a/layer.tar", "../b/layer.tar"), {Name: "b/layer.tar", Body: layer}},
		"hard link":    {{Name: "b/layer.tar", Body: layer}, build.Hardlink("a/layer.tar", "b/layer.tar")},
		"podman":       {build.Symlink("a/layer.tar", "../0123.tar"), {Name: "0123.tar", Body: layer}},
		"chain":        {build.Symlink("a/layer.tar", "../b"), build.Hardlink("b", "c"), {Name: "c", Body: layer}},
		"dot in front": {{Name: "./a/layer.tar", Body: layer}},
	}
	for name, files := range good {
		t.Run(name, func(t *testing.T) {
			l, _ := mustImport(t, build.Tar(append(files, config, list("a/layer.tar"))...), ingest.Options{})
			if m := manifestOf(t, l, "a:1"); len(m.Layers) != 1 {
				t.Errorf("layers are %v", m.Layers)
			}
		})
	}
	bad := []struct {
		name string
		file build.File
		kind error
		say  string
	}{
		{"to nowhere", build.Symlink("a/layer.tar", "../b"), content.ErrMissing, "b: "},
		{"to itself", build.Symlink("a/layer.tar", "layer.tar"), content.ErrRefused, "a/layer.tar"},
		{"outside", build.Symlink("a/layer.tar", "../../etc/passwd"), content.ErrRefused, "a/layer.tar"},
		{"absolute", build.Symlink("a/layer.tar", "/etc/passwd"), content.ErrRefused, "a/layer.tar"},
		{"hard link outside", build.Hardlink("a/layer.tar", "../etc/passwd"), content.ErrRefused, "a/layer.tar"},
		{"a device", build.File{Name: "a/layer.tar", Type: tar.TypeChar}, content.ErrRefused, "a/layer.tar"},
		{"a fifo", build.File{Name: "a/layer.tar", Type: tar.TypeFifo}, content.ErrRefused, "a/layer.tar"},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, build.Tar(tt.file, config, list("a/layer.tar")), ingest.Options{}, tt.kind, tt.say)
		})
	}
}

// TestLayerForms: what is stored for a layer that comes as gzip, say, with each
// --compress.
func TestLayerForms(t *testing.T) {
	const plain, gz, zst = ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd
	want := map[ingest.Compression]map[string]string{
		ingest.Auto:          {"none": gz, "gzip": gz, "zstd": zst, "xz": gz},
		ingest.Gzip:          {"none": gz, "gzip": gz, "zstd": gz, "xz": gz},
		ingest.Zstd:          {"none": zst, "gzip": zst, "zstd": zst, "xz": zst},
		ingest.NoCompression: {"none": plain, "gzip": plain, "zstd": plain, "xz": plain},
		ingest.Keep:          {"none": plain, "gzip": gz, "zstd": zst, "xz": gz},
	}
	conf := build.Image{Layers: []build.Layer{base}}.Config()
	for mode, types := range want {
		for from, mediaType := range types {
			t.Run(fmt.Sprintf("%s %s", mode, from), func(t *testing.T) {
				body := build.Compress(from, base.Plain())
				archive := build.Tar(
					build.File{Name: "0123.tar.gz", Body: body},
					build.File{Name: "sha256:" + digest.FromBytes(conf).Encoded(), Body: conf},
					build.File{Name: "manifest.json", Body: build.JSON([]map[string]any{
						{"Config": "sha256:" + digest.FromBytes(conf).Encoded(), "RepoTags": []string{"a:1"}, "Layers": []string{"0123.tar.gz"}},
					})})
				l, _ := mustImport(t, archive, ingest.Options{Compress: mode})
				got := manifestOf(t, l, "a:1").Layers[0]
				if got.MediaType != mediaType {
					t.Errorf("layer is %s, want %s", got.MediaType, mediaType)
				}
				kept := strings.HasSuffix(mediaType, "tar") && from == "none" || strings.HasSuffix(mediaType, from)
				if kept != (got.Digest == digest.FromBytes(body)) {
					t.Errorf("its bytes are the same: %v", !kept)
				}
			})
		}
	}
}

// TestBlobsWithoutIndex: manifest.json may point into blobs/ with no index.json.
func TestBlobsWithoutIndex(t *testing.T) {
	b := build.NewLayout()
	b.Tag("app:1", b.Image(build.Image{Layers: []build.Layer{{Files: base.Files, Compression: "none"}, appLayer("one")}}))
	files := slices.DeleteFunc(build.Docker25Archive(b), func(f build.File) bool { return f.Name == "index.json" })
	l, _ := mustImport(t, build.Tar(files...), ingest.Options{})
	for i, layer := range manifestOf(t, l, "app:1").Layers {
		if layer.MediaType != ocispec.MediaTypeImageLayerGzip {
			t.Errorf("layer %d is %s", i, layer.MediaType)
		}
	}
}

// TestOddMembers: what nobody lists does not matter, and is not stored.
func TestOddMembers(t *testing.T) {
	junk := []build.File{
		{Name: "junk.gz", Body: append(build.Compress("gzip", []byte("x"))[:12], "broken"...)},
		{Name: "other/layer.tar", Body: build.Random(7, 5000)},
		{Name: "stray.json", Body: []byte(`{"a":`)},
		{Name: "huge.json", Body: append([]byte(`{"a":"`), build.Random(3, 5<<20)...)},
		{Name: "dev/null", Type: tar.TypeChar},
		{Name: "empty"},
		build.Symlink("dangling", "nowhere"),
	}
	l, result := mustImport(t, build.Tar(append(junk, saved()...)...), ingest.Options{})
	if len(blobs(t, l)) != 7 || result.Blobs != 7 {
		t.Errorf("%d blobs, want 7", len(blobs(t, l)))
	}
}

func TestEmptyLayer(t *testing.T) {
	for _, empty := range [][]byte{make([]byte, 1024), build.Tar()} {
		archive := build.DockerArchive(build.DockerImage{Tags: []string{"a:1"},
			Image: build.Image{Layers: []build.Layer{{Tar: empty}}}})
		l, _ := mustImport(t, build.Tar(archive...), ingest.Options{})
		m := manifestOf(t, l, "a:1")
		if got := gunzip(t, fetch(t, l, m.Layers[0])); !bytes.Equal(got, empty) {
			t.Errorf("the empty layer is %d bytes", len(got))
		}
	}
}

// TestDockerContradictions: an archive that does not agree with itself.
func TestDockerContradictions(t *testing.T) {
	one := build.DockerImage{Image: build.Image{Layers: []build.Layer{base, appLayer("one")}}, Tags: []string{"app:1"}}
	files := build.DockerArchive(one)
	edit := func(f func(m map[string]any)) []build.File {
		return rewrite(files, func(list []map[string]any) { f(list[0]) })
	}
	without := func(part string) []build.File {
		return slices.DeleteFunc(slices.Clone(files), func(f build.File) bool { return strings.HasSuffix(f.Name, part) })
	}
	flip := func(part string) []build.File {
		out := slices.Clone(files)
		for i, f := range out {
			if strings.HasSuffix(f.Name, part) && f.Name != "manifest.json" {
				out[i].Body = bytes.Replace(f.Body, []byte("hello"), []byte("hellO"), 1)
				if part == "layer.tar" {
					out[i].Body = slices.Clone(f.Body)
					out[i].Body[600] ^= 1
				}
			}
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		files []build.File
		kind  error
		words []string
	}{
		{"no layer", without("layer.tar"), content.ErrMissing, []string{"layer.tar", "not in the archive"}},
		{"no config", slices.DeleteFunc(slices.Clone(files), func(f build.File) bool {
			return strings.HasSuffix(f.Name, ".json") && f.Name != "manifest.json"
		}), content.ErrMissing, []string{".json"}},
		{"flipped layer", flip("layer.tar"), content.ErrDigest, []string{"layer.tar", "diffID sha256:"}},
		{"flipped config", flip(".json"), content.ErrDigest, []string{".json", "sha256:"}},
		{"one layer too few", edit(func(m map[string]any) { m["Layers"] = m["Layers"].([]any)[:1] }), content.ErrCorrupt, []string{"lists 2 layers"}},
		{"layers swapped", edit(func(m map[string]any) { slices.Reverse(m["Layers"].([]any)) }), content.ErrDigest, nil},
		{"config is a layer", edit(func(m map[string]any) { m["Config"] = m["Layers"].([]any)[0] }), content.ErrCorrupt, []string{"not JSON"}},
		{"layer is VERSION", edit(func(m map[string]any) {
			m["Layers"].([]any)[1] = strings.Replace(m["Layers"].([]any)[1].(string), "layer.tar", "VERSION", 1)
		}), content.ErrCorrupt, []string{"VERSION", "neither a layer nor JSON"}},
		{"layer outside", edit(func(m map[string]any) { m["Layers"].([]any)[1] = "../../etc/shadow" }), content.ErrRefused, []string{"manifest.json"}},
		{"a name that is none", edit(func(m map[string]any) { m["RepoTags"] = []string{"a b"} }), content.ErrRefused, []string{"can't be a name"}},
		{"no image", rewrite(files, func([]map[string]any) {})[:0], content.ErrCorrupt, nil},
		{"empty list", append(without("manifest.json"), build.Text("manifest.json", "[]")), content.ErrCorrupt, []string{"lists no image"}},
		{"before Docker 1.10", without("manifest.json"), content.ErrUnsupported, []string{"Docker 1.10"}},
		{"something else", []build.File{build.Text("etc/passwd", "root")}, content.ErrUnsupported, []string{"root filesystem"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refuse(t, build.Tar(tt.files...), ingest.Options{}, tt.kind, tt.words...)
		})
	}
}
