package mutate_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

func textLayer(name, body string) build.Layer {
	return build.Layer{Files: []build.File{build.Text(name, body)}}
}

// steps names the history of a config, those without a layer in brackets.
func steps(list ...string) func(*ocispec.Image) {
	return func(c *ocispec.Image) {
		c.History = nil
		for _, s := range list {
			c.History = append(c.History, ocispec.History{CreatedBy: strings.Trim(s, "()"), EmptyLayer: strings.HasPrefix(s, "(")})
		}
	}
}

func historyOf(c ocispec.Image) (list []string) {
	for _, h := range c.History {
		if h.EmptyLayer {
			h.CreatedBy = "(" + h.CreatedBy + ")"
		}
		list = append(list, h.CreatedBy)
	}
	return list
}

// bases adds an old and a new base, base:1 and base:2, the name base standing for the
// new one, and an image v1 that is built on the old one.
func bases(annotations func(old content.Descriptor) map[string]string) (l *build.Layout, old, next content.Descriptor) {
	l = build.NewLayout()
	old = l.Image(build.Image{Layers: []build.Layer{textLayer("os", "1"), textLayer("lib", "1")}, EditConfig: func(c *ocispec.Image) {
		steps("os 1", "lib 1", "(CMD)")(c)
		c.Config = ocispec.ImageConfig{Env: []string{"PATH=/bin", "OS=1", "GONE=1"}, Cmd: []string{"sh"}, Labels: map[string]string{"version": "1", "kept": "1"}, WorkingDir: "/"}
	}})
	next = l.Image(build.Image{Layers: []build.Layer{textLayer("os", "2"), textLayer("lib", "2"), textLayer("more", "2")}, EditConfig: func(c *ocispec.Image) {
		steps("os 2", "lib 2", "more 2", "(CMD 2)", "(ENV)")(c)
		c.Config = ocispec.ImageConfig{Env: []string{"PATH=/bin", "OS=2", "NEW=2"}, Cmd: []string{"bash"}, Labels: map[string]string{"version": "2", "kept": "2"}, User: "nobody"}
	}})
	l.Tag("base:1", old)
	l.Tag("base", next)
	l.Tag("v1", l.Image(build.Image{Layers: []build.Layer{textLayer("os", "1"), textLayer("lib", "1"), textLayer("app", "a")}, Annotations: annotations(old), EditConfig: func(c *ocispec.Image) {
		steps("os 1", "lib 1", "(CMD)", "app", "(ENTRYPOINT)")(c)
		c.Config = ocispec.ImageConfig{Env: []string{"PATH=/app:/bin", "OS=1", "GONE=1", "APP=a"}, Cmd: []string{"sh"}, Entrypoint: []string{"/app"},
			Labels: map[string]string{"version": "1", "kept": "mine"}, WorkingDir: "/app"}
	}}))
	return l, old, next
}

func noBase(content.Descriptor) map[string]string { return nil }

func TestRebase(t *testing.T) {
	l, old, next := bases(onBase)
	dst := opened(t, l)
	baseOf := func(d content.Descriptor) *mutate.Base { return &mutate.Base{Fetch: dst, Descriptor: d, Name: "base"} }
	for name, r := range map[string]*mutate.Rebase{
		"by annotations": {Find: finder(dst)},
		"given":          {New: baseOf(next), Old: baseOf(old)},
	} {
		t.Run(name, func(t *testing.T) {
			saved, err := tryApply(t, dst, mutate.Edit{Change: r})
			if err != nil {
				t.Fatal(err)
			}
			m, config := readImage(t, dst, saved.Entry.Descriptor)
			base, _ := readImage(t, dst, next)
			if len(m.Layers) != 4 || !reflect.DeepEqual(m.Layers[:3], base.Layers) {
				t.Errorf("layers %v", m.Layers)
			}
			if got, want := historyOf(config), []string{"os 2", "lib 2", "more 2", "(CMD 2)", "(ENV)", "app", "(ENTRYPOINT)"}; !slices.Equal(got, want) {
				t.Errorf("history %q, want %q", got, want)
			}
			if config.Config.Cmd[0] != "sh" || config.Config.Labels["version"] != "1" {
				t.Errorf("the config has changed: %+v", config.Config)
			}
			if m.Annotations[ocispec.AnnotationBaseImageDigest] != next.Digest.String() || m.Annotations[ocispec.AnnotationBaseImageName] != "base" {
				t.Errorf("annotations %v", m.Annotations)
			}
			if saved.LayersRead > 0 {
				t.Errorf("%d layers were read", saved.LayersRead)
			}
		})
	}
}

func TestRebaseMergesConfigs(t *testing.T) {
	l, _, _ := bases(onBase)
	dst := opened(t, l)
	saved, err := tryApply(t, dst, mutate.Edit{Change: &mutate.Rebase{Find: finder(dst), MergeConfig: true}})
	if err != nil {
		t.Fatal(err)
	}
	_, config := readImage(t, dst, saved.Entry.Descriptor)
	want := ocispec.ImageConfig{
		User: "nobody", Env: []string{"PATH=/app:/bin", "OS=2", "APP=a", "NEW=2"}, Cmd: []string{"bash"}, Entrypoint: []string{"/app"},
		Labels: map[string]string{"version": "2", "kept": "mine"}, WorkingDir: "/app",
	}
	if !reflect.DeepEqual(config.Config, want) {
		t.Errorf("got  %+v\nwant %+v", config.Config, want)
	}
}

// TestRebaseFromAnotherLayout brings the layers of the new base, and writes them as a
// docker image wants them.
func TestRebaseFromAnotherLayout(t *testing.T) {
	other := build.NewLayout()
	next := other.Image(build.Image{Layers: []build.Layer{textLayer("os", "2")}})
	other.Tag("next", next)
	from := opened(t, other)
	l := build.NewLayout()
	old := l.Image(build.Image{Docker: true, Layers: []build.Layer{textLayer("os", "1")}})
	l.Tag("v1", l.Image(build.Image{Docker: true, Layers: []build.Layer{textLayer("os", "1"), textLayer("app", "a")}}))
	dst := opened(t, l)
	saved, err := tryApply(t, dst, mutate.Edit{Change: &mutate.Rebase{
		Old: &mutate.Base{Fetch: dst, Descriptor: old}, New: &mutate.Base{Fetch: from, Descriptor: next, Name: "next"}}})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := readImage(t, dst, saved.Entry.Descriptor)
	base, _ := readImage(t, from, next)
	if len(m.Layers) != 2 || m.Layers[0].Digest != base.Layers[0].Digest || m.Layers[0].MediaType != content.DockerLayerGzip || m.Annotations != nil {
		t.Errorf("%+v", m)
	}
	if got := merged(t, dst, saved.Entry.Descriptor); len(got) != 2 || !strings.HasSuffix(got[1], "2") {
		t.Errorf("files %q", got)
	}
}

// TestRebaseByDiffIDs: the base has the same layers in another compression.
func TestRebaseByDiffIDs(t *testing.T) {
	l, _, next := bases(noBase)
	packed := []build.Layer{textLayer("os", "1"), textLayer("lib", "1")}
	for i := range packed {
		packed[i].Compression = "zstd"
	}
	old := l.Image(build.Image{Layers: packed})
	dst := opened(t, l)
	saved, err := tryApply(t, dst, mutate.Edit{Change: &mutate.Rebase{New: &mutate.Base{Fetch: dst, Descriptor: next}, Old: &mutate.Base{Fetch: dst, Descriptor: old}}})
	if err != nil || !saved.Changed {
		t.Errorf("%+v, %v", saved, err)
	}
}

// TestRebaseToTheSame changes nothing that is not the record of the base.
func TestRebaseToTheSame(t *testing.T) {
	l, old, _ := bases(onBase)
	dst := opened(t, l)
	saved, err := tryApply(t, dst, mutate.Edit{Change: &mutate.Rebase{Find: finder(dst), New: &mutate.Base{Fetch: dst, Descriptor: old, Name: "base"}, MergeConfig: true}})
	if err != nil || saved.New != saved.Old {
		t.Errorf("%+v, %v", saved, err)
	}
}

func TestRebaseOfAnIndex(t *testing.T) {
	l := build.NewLayout()
	platforms := []content.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	var olds, nexts, apps []content.Descriptor
	for _, p := range platforms {
		olds = append(olds, l.Image(build.Image{Platform: p, Layers: []build.Layer{textLayer("os", "1 "+p.Architecture)}}))
		nexts = append(nexts, l.Image(build.Image{Platform: p, Layers: []build.Layer{textLayer("os", "2 "+p.Architecture)}}))
		apps = append(apps, l.Image(build.Image{Platform: p, Layers: []build.Layer{textLayer("os", "1 "+p.Architecture), textLayer("app", "a")}}))
	}
	old, next := l.Index(olds...), l.Index(nexts...)
	l.Tag("base", next)
	whole := build.IndexOf(apps...)
	whole.Annotations = onBase(old) // it speaks for its images
	l.Tag("v1", l.JSON(ocispec.MediaTypeImageIndex, whole))
	dst := opened(t, l)
	saved, err := tryApply(t, dst, mutate.Edit{On: mutate.Selector{All: true}, Change: &mutate.Rebase{Find: finder(dst)}})
	if err != nil {
		t.Fatal(err)
	}
	var index ocispec.Index
	decode(t, blob(t, dst, saved.Entry.Descriptor), &index)
	if index.Annotations[ocispec.AnnotationBaseImageDigest] != next.Digest.String() {
		t.Errorf("the index is recorded to be on %v", index.Annotations)
	}
	for i, d := range index.Manifests {
		m, _ := readImage(t, dst, d)
		base, _ := readImage(t, dst, nexts[i])
		if m.Layers[0].Digest != base.Layers[0].Digest || m.Annotations[ocispec.AnnotationBaseImageDigest] != nexts[i].Digest.String() {
			t.Errorf("%s: %+v", platforms[i].Architecture, m)
		}
	}
}

func TestRebaseRefuses(t *testing.T) {
	l, old, next := bases(noBase)
	long := l.Image(build.Image{Layers: []build.Layer{textLayer("os", "1"), textLayer("lib", "1"), textLayer("app", "a"), textLayer("x", "x")}})
	second := l.Image(build.Image{Layers: []build.Layer{textLayer("os", "1"), textLayer("lib", "other")}})
	arm := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	artifact := l.Artifact("application/x", nil, []byte("x"))
	dst := opened(t, l)
	b := func(d content.Descriptor) *mutate.Base { return &mutate.Base{Fetch: dst, Descriptor: d, Name: "b"} }
	for _, tt := range []struct {
		change *mutate.Rebase
		is     error
		text   string
	}{
		{&mutate.Rebase{New: b(old), Old: b(next)}, content.ErrRefused, "is not built on b: layer 1 is sha256:"},
		{&mutate.Rebase{New: b(next), Old: b(second)}, content.ErrRefused, "layer 2 is sha256:"},
		{&mutate.Rebase{New: b(next), Old: b(long)}, content.ErrRefused, "has a layer 4, "},
		{&mutate.Rebase{New: b(next), Find: finder(dst)}, content.ErrNotFound, "old base: has no annotation"},
		{&mutate.Rebase{Old: b(old), Find: finder(dst)}, content.ErrNotFound, "new base: none is given"},
		{&mutate.Rebase{New: b(arm), Old: b(old)}, content.ErrNotFound, "linux/amd64"},
		{&mutate.Rebase{New: b(artifact), Old: b(old)}, content.ErrNotFound, ""},
	} {
		_, err := tryApply(t, dst, mutate.Edit{Change: tt.change})
		if !errors.Is(err, tt.is) || !strings.Contains(fmt.Sprint(err), tt.text) {
			t.Errorf("%v, want %v: %s", err, tt.is, tt.text)
		}
	}
}

func TestRebaseCheck(t *testing.T) {
	for _, tt := range []struct {
		name        string
		annotations func(old content.Descriptor) map[string]string
		newBase     string
		moved       bool
	}{
		{"the name stands for another image", onBase, "", true},
		{"it stands for the same", func(old content.Descriptor) map[string]string {
			return map[string]string{ocispec.AnnotationBaseImageName: "base:1", ocispec.AnnotationBaseImageDigest: old.Digest.String()}
		}, "", false},
		{"no digest, the same layers", func(content.Descriptor) map[string]string {
			return map[string]string{ocispec.AnnotationBaseImageName: "base:1"}
		}, "", false},
		{"no digest, other layers", func(content.Descriptor) map[string]string {
			return map[string]string{ocispec.AnnotationBaseImageName: "base"}
		}, "", true},
		{"no annotations, the same layers", noBase, "base:1", false},
		{"no annotations, other layers", noBase, "base", true},
		{"a base that is given", onBase, "base:1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, _, _ := bases(tt.annotations)
			dst := opened(t, l)
			root, err := dst.Lookup(t.Context(), layout.Reference{Name: "v1"})
			if err != nil {
				t.Fatal(err)
			}
			r := mutate.Rebase{Find: finder(dst)}
			if tt.newBase != "" {
				b, err := r.Find(t.Context(), tt.newBase, "")
				if err != nil {
					t.Fatal(err)
				}
				r.New = &b
			}
			states, err := r.Check(t.Context(), dst, root, mutate.Selector{}, content.Limits{})
			if err != nil || len(states) != 1 || states[0].Moved != tt.moved || states[0].Platform != "linux/amd64" {
				t.Errorf("%+v, %v", states, err)
			}
		})
	}
}
