package registry_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// siblings is a layout of n images on three layers of which all have two, called v0 and
// so on.
func siblings(n int) *build.Layout {
	l := build.NewLayout()
	for i := range n {
		d := l.Image(build.Image{Layers: []build.Layer{
			{Files: []build.File{build.Text("base", string(build.Random(1, 50_000)))}},
			{Files: []build.File{build.Text("runtime", string(build.Random(2, 50_000)))}},
			{Files: []build.File{build.Text("app", fmt.Sprint("app ", i))}},
		}})
		l.Tag(fmt.Sprint("v", i), d)
	}
	return l
}

func pushAll(t *testing.T, src *layout.Reader, to registry.Reference, ro registry.Options) {
	t.Helper()
	if _, err := registry.PushAll(t.Context(), session(ro), src, to, registry.PushOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestPullMany: of many images each manifest is asked for once, and each blob once; the
// second time the manifests alone.
func TestPullMany(t *testing.T) {
	const n = 260 // more than are taken together
	reg, ro := fakeregistry.New(t), quick(t)
	src := reader(t, siblings(n))
	pushAll(t, src, at(t, reg, "app"), ro)
	reg.Requests()

	var wants []registry.Want
	for i := range n {
		wants = append(wants, registry.Want{From: at(t, reg, fmt.Sprint("app:v", i)), Name: fmt.Sprint("v", i)})
	}
	dst := writable(t)
	done, err := registry.PullAll(t.Context(), session(ro), wants, dst, registry.PullOptions{NoReferrers: true})
	if err != nil {
		t.Fatal(err)
	}
	blobs := 2 + 2*n // two layers that all have; one and a config each
	requests := reg.Requests()
	if got := len(requests); got != n+blobs {
		t.Errorf("%d requests for %d manifests and %d blobs", got, n, blobs)
	}
	slices.Sort(requests)
	if got := len(slices.Compact(requests)); got != n+blobs {
		t.Errorf("%d different requests, so some were sent twice", got)
	}
	if len(done.Images) != n || len(done.Changes) != n || done.Blobs != n+blobs || done.Digest != "" {
		t.Errorf("got %d images, %d changes, %+v", len(done.Images), len(done.Changes), done.CopyReport)
	}
	var sum int64
	for _, image := range done.Images {
		sum += image.Bytes
	}
	if sum != done.Bytes || done.Images[0].Bytes < 100_000 || done.Images[1].Bytes > 10_000 {
		t.Errorf("%d bytes in all and %d of images; of the first %d, of the second %d", done.Bytes, sum, done.Images[0].Bytes, done.Images[1].Bytes)
	}
	for i, image := range done.Images {
		if image.Name != fmt.Sprint("v", i) || image.From != fmt.Sprint(reg.Host(), "/app:v", i) || image.Old != "" {
			t.Fatalf("image %d is %+v", i, image)
		}
	}
	diff, err := layout.Diff(t.Context(), src, dst.Reader, layout.DiffOptions{})
	if err != nil || !diff.Equal {
		t.Errorf("%+v, %v", diff, err)
	}

	done, err = registry.PullAll(t.Context(), session(ro), wants, dst, registry.PullOptions{NoReferrers: true})
	if err != nil || done.Blobs != 0 || done.Images[7].Old != done.Images[7].Digest {
		t.Errorf("got %+v, %v", done.Images[7], err)
	}
	wantRequests(t, reg, "pull again", n)
}

// TestPullFromSeveral: what two registries have is fetched from one, and what refers to
// it in either comes.
func TestPullFromSeveral(t *testing.T) {
	one, other, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
	built, app := family()
	push(t, reader(t, built), "app", at(t, one, "app:v1"), ro, registry.PushOptions{})
	built = build.NewLayout()
	built.Tag("app", built.Index(built.Image(build.Image{}), built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})))
	built.Attach(app, "a/scan", []byte("scan"))
	push(t, reader(t, built), "app", at(t, other, "team/app:v2"), ro, registry.PushOptions{})
	one.Requests()
	other.Requests()

	dst := writable(t)
	done, err := registry.PullAll(t.Context(), session(ro), []registry.Want{
		{From: at(t, one, "app:v1"), Name: "app"},
		{From: at(t, other, "team/app:v2")},
		{From: at(t, one, "app@"+app.Digest.String()), Name: "app"},
	}, dst, registry.PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var blobs []string
	for _, request := range append(one.Requests(), other.Requests()...) {
		if _, blob, ok := strings.Cut(request, "/blobs/"); ok {
			blobs = append(blobs, blob)
		}
	}
	slices.Sort(blobs)
	if n := len(slices.Compact(slices.Clone(blobs))); n != len(blobs) || n == 0 {
		t.Errorf("%d blobs are asked for %d times", n, len(blobs))
	}
	for _, name := range []string{"app", other.Host() + "/team/app:v2"} {
		d, err := dst.Resolve(t.Context(), name)
		if err != nil || d.Digest != app.Digest {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	var types []string
	found, err := dst.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: app, Recursive: true})
	for _, r := range found {
		types = append(types, r.ArtifactType)
	}
	slices.Sort(types)
	if want := []string{"a/sbom", "a/scan", "a/signature"}; err != nil || !slices.Equal(types, want) {
		t.Errorf("got referrers %v, want %v, %v", types, want, err)
	}
	if len(done.Images) != 3 || done.Images[1].Name != other.Host()+"/team/app:v2" || done.Images[2].Name != "app" {
		t.Errorf("got %+v", done.Images)
	}
}

// TestPullAllRefuses: one want that can't be met keeps all names as they were.
func TestPullAllRefuses(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	pushAll(t, reader(t, siblings(2)), at(t, reg, "app"), ro)
	v0, v1 := at(t, reg, "app:v0"), at(t, reg, "app:v1")
	for name, test := range map[string]struct {
		wants []registry.Want
		o     registry.PullOptions
		want  error
	}{
		"two of one name": {[]registry.Want{{From: v0, Name: "x"}, {From: v1, Name: "x"}}, registry.PullOptions{}, content.ErrAmbiguous},
		"one that is not": {[]registry.Want{{From: v0}, {From: at(t, reg, "app:v2")}}, registry.PullOptions{}, content.ErrNotFound},
		"no name at all":  {[]registry.Want{{From: v0}, {From: v1, Name: "a\nb"}}, registry.PullOptions{}, content.ErrInvalid},
		"a name for both": {[]registry.Want{{From: v0}, {From: v1}}, registry.PullOptions{Name: "x"}, content.ErrInvalid},
	} {
		dst := writable(t)
		if _, err := registry.PullAll(t.Context(), session(ro), test.wants, dst, test.o); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if n := entries(t, dst.Reader); n != 0 {
			t.Errorf("%s: %d entries", name, n)
		}
	}
}

func entries(t *testing.T, r *layout.Reader) (n int) {
	t.Helper()
	err := r.View(t.Context(), func(x *layout.Index) error {
		for _, err := range x.Entries() {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAllTags: the tags that people gave are wanted, the others come along, and they are
// listed once.
func TestAllTags(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	reg.NoReferrers = true
	built, _ := family()
	src := reader(t, built)
	push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{Tags: []string{"latest"}})
	reg.Requests()
	s := session(ro)
	wants, err := registry.AllTags(t.Context(), s, at(t, reg, "app"))
	if err != nil || len(wants) != 2 {
		t.Fatalf("got %v, %v", wants, err)
	}
	listing := len(reg.Requests())
	dst := writable(t)
	done, err := registry.PullAll(t.Context(), s, wants, dst, registry.PullOptions{})
	if err != nil || done.Referrers != 4 {
		t.Errorf("got %+v, %v", done, err)
	}
	for _, request := range reg.Requests() {
		if strings.HasSuffix(request, "/tags/list") {
			t.Errorf("tags were listed in %d requests, and once more", listing)
		}
	}
	if _, err := registry.AllTags(t.Context(), s, at(t, reg, "app:v1")); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestPullWithoutAPI: where the registry lacks the referrers API it is asked for it once,
// and but for the first for no list that its tags do not name.
func TestPullWithoutAPI(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	reg.NoReferrers = true
	built := siblings(5)
	built.Attach(built.Entries[3], "a/sbom", []byte("sbom"))
	pushAll(t, reader(t, built), at(t, reg, "app"), ro)
	pages := (len(reg.Tags("app")) + 1) / 2 // two tags come with each request
	var wants []registry.Want
	for i := range 5 {
		wants = append(wants, registry.Want{From: at(t, reg, fmt.Sprint("app:v", i))})
	}
	first := 1 // the list of the first manifest, if it is not the one
	if slices.MinFunc(built.Entries[:5], func(a, b content.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) }).Digest == built.Entries[3].Digest {
		first = 0
	}
	dst := writable(t)
	for _, blobs := range []int{2 + 2*5 + 1 + 2, 0} { // of the images; of the SBOM, with its manifest
		reg.Requests()
		done, err := registry.PullAll(t.Context(), session(ro), wants, dst, registry.PullOptions{})
		if err != nil || done.Referrers != 1 {
			t.Fatalf("got %+v, %v", done, err)
		}
		wantRequests(t, reg, "pull", 5+blobs+1+first+pages+1) // manifests, the API, the tags, and the one list
	}
}
