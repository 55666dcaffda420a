package mutate_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// merged is the merged tree of an image, a line a file.
func merged(t *testing.T, l content.Fetcher, image content.Descriptor) []string {
	t.Helper()
	layers, err := imagefs.LayersOf(t.Context(), l, image, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := imagefs.Build(t.Context(), l, layers, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	bodies := make([]string, tree.Len())
	var mu sync.Mutex
	err = tree.Bodies(t.Context(), l, func(body int, r io.Reader) error {
		data, err := io.ReadAll(r)
		mu.Lock()
		defer mu.Unlock()
		bodies[body] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for f := range tree.Files() {
		h := f.Header()
		line := fmt.Sprintf("%s %c %o %d %v %s", h.Name, h.Typeflag, h.Mode, h.Uid, h.ModTime.UTC(), h.Linkname)
		if f.Body >= 0 {
			line += " " + bodies[f.Body]
		}
		lines = append(lines, line)
	}
	return lines
}

// stacked is four layers that change one another, of different compression.
func stacked() []build.Layer {
	return []build.Layer{
		{Files: []build.File{build.Dir("etc"), build.Text("etc/a", "base"), build.Text("etc/b", "b"), build.Dir("d"), build.Text("d/old", "old")}},
		{Compression: "zstd", Files: []build.File{build.Dir("etc"), build.Text("etc/a", "two"), build.Hardlink("link", "etc/a")}},
		{Compression: "none", Files: []build.File{build.Text("etc/.wh.b", ""), build.Dir("d"), build.Text("d/.wh..wh..opq", ""), build.Text("d/new", "new")}},
		{Compression: "zstd", Files: []build.File{build.Text("etc/a", "four")}},
	}
}

func readImage(t *testing.T, l *layout.Layout, d content.Descriptor) (ocispec.Manifest, ocispec.Image) {
	t.Helper()
	var m ocispec.Manifest
	decode(t, blob(t, l, d), &m)
	var config ocispec.Image
	decode(t, blob(t, l, m.Config), &config)
	return m, config
}

func TestSquashRanges(t *testing.T) {
	for _, tt := range []struct {
		layers    string
		left      int
		history   string // "S" is the new entry, "-" one without a layer
		mediaType string
	}{
		{"1-", 1, "----S-", ocispec.MediaTypeImageLayerGzip},
		{"-2", 3, "--S++-", ocispec.MediaTypeImageLayerGzip},
		{"2-3", 3, "+--S+-", ocispec.MediaTypeImageLayerGzip},
		{"3-4", 3, "++--S-", ocispec.MediaTypeImageLayerGzip},
		{"2-", 2, "+---S-", ocispec.MediaTypeImageLayerGzip},
	} {
		t.Run(tt.layers, func(t *testing.T) {
			l := build.NewLayout()
			old := l.Image(build.Image{Layers: stacked()})
			l.Tag("v1", old)
			first, last, err := mutate.ParseLayers(tt.layers)
			if err != nil {
				t.Fatal(err)
			}
			dst, saved := edited(t, l, mutate.Edit{Change: &mutate.Squash{First: first, Last: last}})
			if got, want := merged(t, dst, saved.Entry.Descriptor), merged(t, dst, old); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
			m, config := readImage(t, dst, saved.Entry.Descriptor)
			if len(m.Layers) != tt.left || m.Layers[first-1].MediaType != tt.mediaType {
				t.Errorf("%d layers %v", len(m.Layers), m.Layers)
			}
			history := ""
			for _, h := range config.History {
				switch {
				case h.CreatedBy == "ocilayout squash" && !h.EmptyLayer:
					history += "S"
				case h.EmptyLayer:
					history += "-"
				default:
					history += "+"
				}
			}
			if history != tt.history {
				t.Errorf("history %s, want %s", history, tt.history)
			}
			if len(saved.Layers) != 1 || saved.Layers[0].New != m.Layers[first-1].Digest || saved.Layers[0].DiffID != config.RootFS.DiffIDs[first-1] {
				t.Errorf("report of layers: %+v", saved.Layers)
			}
		})
	}
}

// TestSquashKeepsTheForm: layers of one compression make one of it.
func TestSquashKeepsTheForm(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "zstd"} {
		for _, docker := range []bool{false, true} {
			layers := stacked()
			for i := range layers {
				layers[i].Compression = compression
			}
			l := build.NewLayout()
			old := l.Image(build.Image{Layers: layers, Docker: docker})
			l.Tag("v1", old)
			dst, saved := edited(t, l, mutate.Edit{Change: &mutate.Squash{}})
			was, _ := readImage(t, dst, old)
			is, _ := readImage(t, dst, saved.Entry.Descriptor)
			if is.Layers[0].MediaType != was.Layers[0].MediaType {
				t.Errorf("%s becomes %s", was.Layers[0].MediaType, is.Layers[0].MediaType)
			}
		}
	}
}

// TestSquashOfAnIndex: images that share layers share the squash, and one of a single
// layer stays.
func TestSquashOfAnIndex(t *testing.T) {
	l := build.NewLayout()
	arm := content.Platform{OS: "linux", Architecture: "arm64"}
	riscv := content.Platform{OS: "linux", Architecture: "riscv64"}
	one := l.Image(build.Image{Platform: riscv})
	l.Tag("v1", l.Index(l.Image(build.Image{Layers: stacked()}), l.Image(build.Image{Layers: stacked(), Platform: arm}), one))
	dst, saved := edited(t, l, mutate.Edit{Change: &mutate.Squash{}})
	if len(saved.Layers) != 1 || len(saved.Images) != 2 {
		t.Errorf("layers %v, images %v", saved.Layers, saved.Images)
	}
	var index ocispec.Index
	decode(t, blob(t, dst, saved.Entry.Descriptor), &index)
	if index.Manifests[2].Digest != one.Digest {
		t.Errorf("an image of one layer has changed")
	}
	_, picked := edited(t, l, mutate.Edit{On: mutate.Selector{Platforms: []content.Platform{arm}}, Change: &mutate.Squash{}})
	if len(picked.Images) != 1 || picked.Images[0].Platform != "linux/arm64" {
		t.Errorf("of one platform: %v", picked.Images)
	}
}

// finder finds bases in l.
func finder(l *layout.Layout) mutate.BaseFinder { return mutate.FindBase(l.Reader) }

func onBase(base content.Descriptor) map[string]string {
	return map[string]string{ocispec.AnnotationBaseImageName: "base", ocispec.AnnotationBaseImageDigest: base.Digest.String()}
}

func TestSquashAboveBase(t *testing.T) {
	l := build.NewLayout()
	base := l.Image(build.Image{Layers: stacked()[:2]})
	l.Tag("base", base)
	l.Tag("v1", l.Image(build.Image{Layers: stacked(), Annotations: onBase(base)}))
	dst := opened(t, l)
	saved, err := tryApply(t, dst, mutate.Edit{Change: &mutate.Squash{AboveBase: true, Find: finder(dst)}})
	if err != nil {
		t.Fatal(err)
	}
	was, _ := readImage(t, dst, base)
	is, _ := readImage(t, dst, saved.Entry.Descriptor)
	if len(is.Layers) != 3 || is.Layers[1].Digest != was.Layers[1].Digest || is.Annotations[ocispec.AnnotationBaseImageDigest] != base.Digest.String() {
		t.Errorf("not the base and one layer: %+v", is)
	}
	for _, tt := range []struct {
		change *mutate.Squash
		stays  bool
	}{
		{&mutate.Squash{First: 3, Find: finder(dst)}, true},
		{&mutate.Squash{First: 2, Find: finder(dst)}, false},
		{&mutate.Squash{First: 2}, true},
		{&mutate.Squash{}, false},
	} {
		saved, err := tryApply(t, dst, mutate.Edit{Change: tt.change})
		if err != nil {
			t.Fatal(err)
		}
		m, _ := readImage(t, dst, saved.Entry.Descriptor)
		if _, ok := m.Annotations[ocispec.AnnotationBaseImageName]; ok != tt.stays || len(saved.Warnings) > 0 == tt.stays {
			t.Errorf("from %d: base %v, warnings %v", tt.change.First, m.Annotations, saved.Warnings)
		}
	}
}

// TestSquashWithoutTheBase: a base that is not there does not stand in the way.
func TestSquashWithoutTheBase(t *testing.T) {
	absent := build.Descriptor(ocispec.MediaTypeImageManifest, []byte("absent"))
	l := build.NewLayout()
	sparse := l.Index(content.Descriptor{MediaType: absent.MediaType, Digest: absent.Digest, Size: absent.Size, Platform: &content.Platform{OS: "linux", Architecture: "amd64"}})
	l.Tag("sparse", sparse)
	other := l.Index(l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "s390x"}}))
	l.Tag("other", other)
	for _, base := range []content.Descriptor{absent, sparse, other} {
		l.Entries = l.Entries[:2]
		l.Tag("v1", l.Image(build.Image{Layers: stacked(), Annotations: onBase(base)}))
		dst := opened(t, l)
		saved, err := tryApply(t, dst, mutate.Edit{Change: &mutate.Squash{First: 3, Find: finder(dst)}})
		if err != nil {
			t.Fatal(err)
		}
		m, _ := readImage(t, dst, saved.Entry.Descriptor)
		if m.Annotations[ocispec.AnnotationBaseImageDigest] != base.Digest.String() || len(saved.Warnings) > 0 {
			t.Errorf("annotations %v, warnings %v", m.Annotations, saved.Warnings)
		}
	}
}

func TestSquashRefuses(t *testing.T) {
	l := build.NewLayout()
	other := l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("other", "x")}}}})
	l.Tag("base", other)
	l.Tag("v1", l.Image(build.Image{Layers: stacked(), Annotations: onBase(other)}))
	dst := opened(t, l)
	for _, tt := range []struct {
		change *mutate.Squash
		is     error
		text   string
	}{
		{&mutate.Squash{First: 5}, content.ErrNotFound, "has 4 layers and no layer 5"},
		{&mutate.Squash{First: 1, Last: 9}, content.ErrNotFound, "no layer 9"},
		{&mutate.Squash{AboveBase: true, Find: finder(dst)}, content.ErrRefused, "layer 1 is sha256:"},
	} {
		_, err := tryApply(t, dst, mutate.Edit{Change: tt.change})
		if !errors.Is(err, tt.is) || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%+v: %v", tt.change, err)
		}
	}
	for _, text := range []string{"", "-", "2", "0-3", "3-2", "2-2", "a-b", "1-2-3", "-0", "--2"} {
		if _, _, err := mutate.ParseLayers(text); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("ParseLayers(%q): %v", text, err)
		}
	}
}

// TestIndexesSpeakForTheirImages: what an index says of a base is corrected too.
func TestIndexesSpeakForTheirImages(t *testing.T) {
	l := build.NewLayout()
	base := l.Image(build.Image{Layers: stacked()[:2]})
	l.Tag("base", base)
	index := build.IndexOf(l.Image(build.Image{Layers: stacked()}))
	index.Annotations = onBase(base)
	root := l.JSON(ocispec.MediaTypeImageIndex, index)
	l.Tag("v1", root)
	for _, tt := range []struct {
		change mutate.Change
		want   string
	}{
		{&mutate.Squash{First: 3}, base.Digest.String()},
		{&mutate.Squash{}, ""},
		{mutate.Append{Layers: []mutate.LayerAdd{{Dir: t.TempDir()}}}, base.Digest.String()},
		{mutate.Append{Layers: []mutate.LayerAdd{{Dir: t.TempDir()}}, Record: true, Name: "v1"}, root.Digest.String()},
	} {
		dst, saved := edited(t, l, mutate.Edit{On: mutate.Selector{All: true}, Change: tt.change})
		var got ocispec.Index
		decode(t, blob(t, dst, saved.Entry.Descriptor), &got)
		if got.Annotations[ocispec.AnnotationBaseImageDigest] != tt.want {
			t.Errorf("%+v: base %v, want %s", tt.change, got.Annotations, tt.want)
		}
	}
}
