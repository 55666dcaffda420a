package layout_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

func openBuilt(t *testing.T, l *build.Layout, options ...testkit.Option) *layout.Reader {
	t.Helper()
	r, err := layout.OpenReader(testkit.Layout(t, l, options...), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func describe(t *testing.T, r *layout.Reader, name string) (layout.Description, error) {
	t.Helper()
	e, err := r.Lookup(t.Context(), layout.Reference{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return layout.Describe(t.Context(), r, e, r.Limits())
}

func TestDescribeIndex(t *testing.T) {
	l := build.NewLayout()
	shared := build.Layer{Files: []build.File{build.Text("etc/shared", "both have this")}}
	amd := l.Image(build.Image{Layers: []build.Layer{shared}})
	arm := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, Layers: []build.Layer{shared}})
	absent := build.Descriptor(ocispec.MediaTypeImageManifest, []byte("not here"))
	l.Tag("app", l.Index(amd, l.Index(arm), absent))
	d, err := describe(t, openBuilt(t, l), "app")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms are %v", d.Platforms)
	}
	if len(d.Manifests) != 3 || !d.Manifests[2].Absent || d.Manifests[1].Manifests[0].Digest != arm.Digest {
		t.Fatalf("manifests are %+v", d.Manifests)
	}
	// The shared layer counts once, both configs count.
	want := d.Manifests[0].TotalSize + d.Manifests[1].Manifests[0].Config.Size
	if d.TotalSize != want {
		t.Errorf("total is %d, want %d", d.TotalSize, want)
	}
}

func TestDescribeImageKeepsItsConfig(t *testing.T) {
	l := build.NewLayout()
	config := l.Put(ocispec.MediaTypeImageConfig, []byte(`{"os":"linux","architecture":"amd64","config":{"Healthcheck":{"Test":["NONE"]}},"moby.buildkit.buildinfo.v1":"x","rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"one"},{"created_by":"two","empty_layer":true}]}`))
	layer := l.Put(ocispec.MediaTypeImageLayer, build.Tar())
	l.Tag("app", l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []content.Descriptor{layer}}))
	d, err := describe(t, openBuilt(t, l, testkit.BrokenOK), "app")
	if err != nil {
		t.Fatal(err)
	}
	if string(d.Image) != string(l.Blobs[config.Digest]) {
		t.Errorf("image is %s", d.Image)
	}
	if d.Layers[0].CreatedBy != "one" || d.Layers[0].DiffID != "" || len(d.History()) != 2 {
		t.Errorf("layers are %+v", d.Layers)
	}
}

func TestDescribeArtifact(t *testing.T) {
	l := build.NewLayout()
	image := l.Image(build.Image{})
	l.Tag("app", image)
	artifact := l.Attach(image, "application/spdx+json", []byte("{}"))
	r := openBuilt(t, l)
	d, err := describe(t, r, "app")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Referrers) != 1 || d.Referrers[0].Digest != artifact.Digest || d.Referrers[0].ArtifactType != "application/spdx+json" {
		t.Errorf("referrers are %+v", d.Referrers)
	}
	a, err := layout.Describe(t.Context(), r, layout.NewEntry(artifact), r.Limits())
	if err != nil {
		t.Fatal(err)
	}
	if a.ArtifactType != "application/spdx+json" || a.Subject == nil || a.Subject.Digest != image.Digest || a.Platform != nil || a.Image != nil {
		t.Errorf("artifact is %+v", a)
	}
}

// TestReferrersAreWhatManifestsSay: a list of referrers may lie, a manifest names
// its own subject.
func TestReferrersAreWhatManifestsSay(t *testing.T) {
	l := build.NewLayout()
	image, other := l.Image(build.Image{}), l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	l.Tag("app", image)
	l.Tag("other", other)
	right := l.Artifact("a/right", &image, []byte("1"))
	wrong := l.Artifact("a/wrong", &other, []byte("2"))
	absent := build.Descriptor(ocispec.MediaTypeImageManifest, []byte("not here"))
	liar := right
	liar.ArtifactType = "a/lie"
	l.Tag(build.FallbackTag(image.Digest), l.Index(liar, liar, wrong, absent))
	nested := l.Artifact("a/nested", &image, []byte("3"))
	l.Tag("set", l.Index(l.Index(nested)))
	r := openBuilt(t, l, testkit.BrokenOK)
	var found []string
	err := r.Referrers(t.Context(), image, "", func(list []content.Descriptor) error {
		for _, d := range list {
			found = append(found, d.ArtifactType)
		}
		return nil
	})
	if slices.Sort(found); err != nil || !slices.Equal(found, []string{"a/nested", "a/right"}) {
		t.Errorf("found %v, %v", found, err)
	}
	calls := 0
	err = r.Referrers(t.Context(), image, "a/nested", func(list []content.Descriptor) error {
		calls += len(list)
		return nil
	})
	if err != nil || calls != 1 {
		t.Errorf("filtered: %d, %v", calls, err)
	}
}

// bomb is an index whose children are named so often, on so many levels, that a
// few kilobytes unfold to 20^7 manifests.
func bomb(l *build.Layout) content.Descriptor {
	d := l.Image(build.Image{})
	for range 7 {
		d = l.Index(slices.Repeat([]content.Descriptor{d}, 20)...)
	}
	return d
}

func TestUnfoldingIsBounded(t *testing.T) {
	l := build.NewLayout()
	l.Tag("bomb", bomb(l))
	r := openBuilt(t, l, testkit.BrokenOK)
	if _, err := describe(t, r, "bomb"); !errors.Is(err, content.ErrRefused) {
		t.Errorf("describe: %v", err)
	}
	trees, err := layout.BuildTrees(t.Context(), r, layout.Reference{Name: "bomb"})
	if err != nil {
		t.Fatal(err)
	}
	if n := countTree(trees[0]); n > 200 {
		t.Errorf("the tree has %d nodes", n)
	}
}

func countTree(t *layout.Tree) int {
	n := 1
	for _, c := range slices.Concat(t.Children, t.Referrers) {
		n += countTree(c)
	}
	return n
}

func TestNestingIsBounded(t *testing.T) {
	l := build.NewLayout()
	d := l.Image(build.Image{})
	for range 40 {
		d = l.Index(d)
	}
	l.Tag("deep", d)
	r := openBuilt(t, l, testkit.BrokenOK)
	if _, err := describe(t, r, "deep"); !errors.Is(err, content.ErrRefused) {
		t.Errorf("describe: %v", err)
	}
	if _, err := layout.BuildTrees(t.Context(), r, layout.Reference{}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("tree: %v", err)
	}
}

func TestDescribeRefusesWhatIsNoManifest(t *testing.T) {
	l := build.NewLayout()
	l.Tag("app", l.Image(build.Image{}))
	r := openBuilt(t, l)
	e := layout.NewEntry(content.Descriptor{MediaType: "text/plain", Digest: build.SHA512(nil)})
	if _, err := layout.Describe(t.Context(), r, e, r.Limits()); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("a blob: %v", err)
	}
	if _, err := layout.ConfigBytes(t.Context(), r, content.Descriptor{MediaType: ocispec.MediaTypeImageIndex}, r.Limits()); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("an index: %v", err)
	}
}

func TestListStopsWhenAskedTo(t *testing.T) {
	l := build.NewLayout()
	for _, name := range []string{"a", "b", "c"} {
		l.Tag(name, l.Image(build.Image{}))
	}
	r := openBuilt(t, l)
	var names []string
	for item, err := range r.List(t.Context(), layout.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, item.Name)
		if len(names) == 2 {
			break
		}
	}
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("names are %v", names)
	}
}

func TestListOpensNoBlob(t *testing.T) {
	l := build.NewLayout()
	l.Tag("a", l.Image(build.Image{}))
	clear(l.Blobs)
	r := openBuilt(t, l, testkit.BrokenOK)
	n := 0
	for item, err := range r.List(t.Context(), layout.ListOptions{All: true}) {
		if err != nil || item.Name != "a" {
			t.Fatal(item, err)
		}
		n++
	}
	for item, err := range r.List(t.Context(), layout.ListOptions{Details: true}) {
		if err != nil || !item.Absent {
			t.Fatal(item, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d items", n)
	}
}

var _ interface {
	Referrers(context.Context, ocispec.Descriptor, string, func([]ocispec.Descriptor) error) error
} = (*layout.Reader)(nil) // the form of oras-go's registry.ReferrerLister
