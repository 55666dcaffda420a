package toolref_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/toolref"
)

// words asks for the words for a program; the reason is why there are none.
func words(t *testing.T, path, name, program string) (line, reason string) {
	t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	args, err := toolref.Words(context.Background(), r, layout.Reference{Layout: path, Name: name}, program)
	var none *toolref.NoWordsError
	if errors.As(err, &none) {
		if !errors.Is(err, content.ErrUnsupported) || none.Tool != program {
			t.Errorf("%#v", err)
		}
		return "", none.Reason
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(toolref.Quote(args), filepath.Dir(path)+"/", ""), ""
}

func TestWordsOfATag(t *testing.T) {
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{}))
	l.Tag("other", l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("a", "b")}}}}))
	path := filepath.Join(t.TempDir(), "L")
	if err := l.WriteDir(path); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"skopeo": "oci:L:v1", "regctl": "ocidir://L:v1", "oras": "--oci-layout L:v1", "buildx": "oci-layout://L:v1",
		"trivy": "--input L:v1", "syft": "", "crane": "", "podman": "",
	}
	for _, program := range toolref.Tools() {
		line, reason := words(t, path, "v1", program)
		if line != want[program] || line == "" && reason == "" {
			t.Errorf("%s: %q %q, want %q", program, line, reason, want[program])
		}
		if toolref.Source(program) == "" {
			t.Errorf("%s has no source", program)
		}
	}
	if _, err := toolref.Words(context.Background(), nil, layout.Reference{}, "cat"); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestWordsOfADockerArchive: a tar whose manifest.json lists one image alone is that
// image to those who read no index.json.
func TestWordsOfADockerArchive(t *testing.T) {
	l := build.NewLayout()
	image := l.Image(build.Image{})
	l.Tag("v1", image)
	m, err := content.ParseManifest(image.MediaType, l.Blobs[image.Digest])
	if err != nil {
		t.Fatal(err)
	}
	for config, want := range map[string]string{
		m.Config.Digest.Encoded():  "L.tar",
		strings.Repeat("0123", 16): "",
	} {
		l.Extra = []build.File{build.Text("manifest.json", `[{"Config":"blobs/sha256/`+config+`","RepoTags":null,"Layers":[]}]`)}
		path := filepath.Join(t.TempDir(), "L.tar")
		if err := os.WriteFile(path, l.Tar(), 0o644); err != nil {
			t.Fatal(err)
		}
		if line, reason := words(t, path, "v1", "crane"); line != want {
			t.Errorf("config %s: %q %q, want %q", config, line, reason, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for want, in := range map[string][]string{
		"a b":            {"a", "b"},
		"'a b' ''":       {"a b", ""},
		`'it'\''s' '~'`:  {"it's", "~"},
		`'$x' '*' a:b@c`: {"$x", "*", "a:b@c"},
	} {
		if got := toolref.Quote(in); got != want {
			t.Errorf("%q is quoted as %s, want %s", in, got, want)
		}
	}
	if !slices.Contains(toolref.Tools(), "skopeo") {
		t.Error("no skopeo")
	}
}
