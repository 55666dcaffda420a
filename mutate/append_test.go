package mutate_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/mutate"
)

func TestParseLayer(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tar=x")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for text, want := range map[string]mutate.LayerAdd{
		dir:       {Dir: dir},
		file:      {Tar: file},
		"./tar=x": {Tar: "./tar=x"},
		"tar=x":   {Tar: "x"},
	} {
		if got, err := mutate.ParseLayer(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{"absent": os.ErrNotExist, "mode=8": content.ErrInvalid} {
		if _, err := mutate.ParseLayer(text); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "top"), []byte("top"), 0o600); err != nil {
		t.Fatal(err)
	}
	arm := content.Platform{OS: "linux", Architecture: "arm64"}
	l := build.NewLayout()
	images := []content.Descriptor{l.Image(build.Image{}), l.Image(build.Image{Platform: arm}), l.Image(build.Image{Docker: true, Platform: content.Platform{OS: "linux", Architecture: "s390x"}})}
	l.Tag("v1", l.Index(images...))
	for _, a := range []mutate.Append{
		{Layers: []mutate.LayerAdd{{Dir: dir}, {Dir: dir, Dest: "/d"}}, Record: true, Name: "v1"},
		{Layers: []mutate.LayerAdd{{Dir: dir}}},
		{Layers: []mutate.LayerAdd{{Dir: dir, Platform: &arm}}, Record: true},
	} {
		dst, saved := edited(t, l, mutate.Edit{Change: a})
		var index ocispec.Index
		decode(t, blob(t, dst, saved.Entry.Descriptor), &index)
		for i, d := range index.Manifests {
			m, config := readImage(t, dst, d)
			added := len(a.Layers)
			if p := a.Layers[0].Platform; p != nil && !content.MatchPlatform(*p, *d.Platform) {
				added = 0
			}
			if len(m.Layers) != 1+added || len(config.RootFS.DiffIDs) != 1+added {
				t.Errorf("%+v: image %d has %d layers", a, i, len(m.Layers))
			}
			want := map[string]string(nil)
			if a.Record && added > 0 && d.MediaType != content.DockerManifest {
				want = map[string]string{ocispec.AnnotationBaseImageDigest: images[i].Digest.String()}
				if a.Name != "" {
					want[ocispec.AnnotationBaseImageName] = a.Name
				}
			}
			if len(want) != len(m.Annotations) || want[ocispec.AnnotationBaseImageDigest] != m.Annotations[ocispec.AnnotationBaseImageDigest] {
				t.Errorf("image %d is recorded to be on %v, want %v", i, m.Annotations, want)
			}
			if files := merged(t, dst, d); added > 0 && !slices.ContainsFunc(files, func(line string) bool { return line[:3] == "top" }) {
				t.Errorf("image %d: %q", i, files)
			}
		}
	}
}
