package export_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// loadsLayout has two images of two platforms, one of them sparse, an SBOM and an
// artifact. far is what is absent.
func loadsLayout() (l *build.Layout, far content.Descriptor) {
	l = build.NewLayout()
	for _, name := range []string{"one.example/app:latest", "two.example/db:latest"} {
		var children []content.Descriptor
		for _, arch := range []string{"s390x", "arm64", "amd64"} {
			children = append(children, l.Image(build.Image{
				Platform: content.Platform{OS: "linux", Architecture: arch},
				Layers:   []build.Layer{{Files: []build.File{build.Text("name", name+" "+arch)}}},
			}))
		}
		index := l.Index(children...)
		l.Tag(name, index)
		l.Attach(index, "application/spdx+json", []byte("{}"))
		far = children[0]
	}
	m, err := content.ParseManifest(far.MediaType, l.Blobs[far.Digest])
	if err != nil {
		panic(err)
	}
	delete(l.Blobs, far.Digest)
	delete(l.Blobs, m.Layers[0].Digest)
	l.Tag("chart", l.Artifact("application/vnd.example", nil, []byte("chart")))
	return l, far
}

// exportFor exports all of a layout for a consumer.
func exportFor(t *testing.T, path, to string, o export.Options) (export.Result, error) {
	t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // only read
	roots, err := export.Select(context.Background(), r, layout.Reference{})
	if err != nil {
		t.Fatal(err)
	}
	return export.ToFile(context.Background(), to, roots, o)
}

// TestForStays: an archive for a consumer, exported for it again, has the same bytes,
// and they do not depend on the order of the layout's entries.
func TestForStays(t *testing.T) {
	l, far := loadsLayout()
	path := testkit.Layout(t, l)
	turned := build.NewLayout()
	turned.Blobs, turned.Entries = l.Blobs, slices.Clone(l.Entries)
	slices.Reverse(turned.Entries)
	other := testkit.Layout(t, turned)
	for _, who := range []consumer.Consumer{"docker", "docker-containerd", "podman", "ctr", "kind", "k3s"} {
		t.Run(string(who), func(t *testing.T) {
			dir := t.TempDir()
			first, again, third := filepath.Join(dir, "1.tar"), filepath.Join(dir, "2.tar"), filepath.Join(dir, "3.tar")
			o := export.Options{For: who, NoSync: true}
			result, err := exportFor(t, path, first, o)
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Load.Names) != 2 || len(result.Images) != 2 || len(result.Artifacts) != 0 || len(result.Load.LeftOut) != 3 {
				t.Errorf("%+v of %+v", result.Load, result)
			}
			second, err := exportFor(t, first, again, o)
			if err != nil || len(second.Load.LeftOut) != 0 {
				t.Errorf("again: %v, %+v", err, second.Load)
			}
			if _, err := exportFor(t, other, third, o); err != nil {
				t.Error(err)
			}
			want, err := os.ReadFile(first)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{again, third} {
				if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s differs: %v", name, err)
				}
			}
			testkit.Sound(t, first)
			if narrowed := !bytes.Contains(want, []byte(far.Digest)); narrowed != (who == "kind" || who == "k3s") {
				t.Errorf("the absent image is no longer in an index: %v", narrowed)
			}
		})
	}
}

// TestForManifest: docker's manifest.json has the image of each entry that the rules
// looked at, under long names.
func TestForManifest(t *testing.T) {
	l, _ := loadsLayout()
	path := testkit.Layout(t, l)
	for _, c := range []struct {
		platforms []content.Platform
		arch      string
	}{
		{nil, "amd64"},
		{[]content.Platform{{OS: "linux", Architecture: "arm64"}}, "arm64"},
		{[]content.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}}, "amd64"},
	} {
		to := filepath.Join(t.TempDir(), "docker.tar")
		result, err := exportFor(t, path, to, export.Options{For: consumer.Docker, Platforms: c.platforms, NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := layout.OpenReader(to, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := r.ReadFile(docker.ManifestName, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for _, name := range result.Load.Names {
			if !bytes.Contains(data, []byte(`"`+name+`"`)) {
				t.Errorf("%s is not in %s", name, data)
			}
		}
		var remarks int
		for _, remark := range result.Load.Changed {
			if remark.Rule == "docker-manifest" && bytes.Contains([]byte(remark.Reason), []byte("linux/"+c.arch)) {
				remarks++
			}
		}
		if want := 2; remarks != want && len(c.platforms) != 1 {
			t.Errorf("%d remarks of %+v, want %d", remarks, result.Load.Changed, want)
		}
		for _, d := range l.Digests() {
			if bytes.Contains(data, []byte(d.Encoded())) && bytes.Contains(l.Blobs[d], []byte(`"architecture"`)) &&
				!bytes.Contains(l.Blobs[d], []byte(`"architecture":"`+c.arch+`"`)) {
				t.Errorf("manifest.json has the config %s, want one of %s", l.Blobs[d], c.arch)
			}
		}
	}
}

// TestForRefuses: nothing is written where the consumer would refuse, or where options
// do not go with one.
func TestForRefuses(t *testing.T) {
	l, _ := loadsLayout()
	path := testkit.Layout(t, l)
	for _, c := range []struct {
		o    export.Options
		want error
	}{
		{export.Options{For: consumer.Bazel}, content.ErrRefused},
		{export.Options{For: consumer.Kind, Platforms: []content.Platform{{OS: "linux", Architecture: "s390x"}}}, content.ErrNotFound},
		{export.Options{For: "rkt"}, content.ErrInvalid},
		{export.Options{For: consumer.Kind, Form: export.Docker}, content.ErrInvalid},
		{export.Options{For: consumer.Kind, FallbackTags: true}, content.ErrInvalid},
		{export.Options{For: consumer.Kind, Name: "one"}, content.ErrInvalid},
		{export.Options{Repository: "one"}, content.ErrInvalid},
	} {
		to := filepath.Join(t.TempDir(), "no.tar")
		if _, err := exportFor(t, path, to, c.o); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.o, err, c.want)
		}
		if left, _ := os.ReadDir(filepath.Dir(to)); len(left) > 0 {
			t.Errorf("%+v left %v", c.o, left)
		}
	}
}
