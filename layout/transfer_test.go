package layout_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// writable is an empty layout that is verified when the test ends.
func writable(t *testing.T) *layout.Layout {
	t.Helper()
	return openWritable(t, testkit.Layout(t, nil))
}

// openWritable opens the layout dir until the test ends.
func openWritable(t *testing.T, dir string) *layout.Layout {
	t.Helper()
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func names(t *testing.T, r *layout.Reader) []string {
	t.Helper()
	var list []string
	for item, err := range r.List(t.Context(), layout.ListOptions{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item.Name)
	}
	return list
}

// TestTransferTakesWhatBelongs: referrers of an image, of its platforms, and of
// the referrers themselves; cosign's tags; nothing else.
func TestTransferTakesWhatBelongs(t *testing.T) {
	src := build.NewLayout()
	amd, arm := src.Image(build.Image{}), src.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	app := src.Index(amd, arm)
	src.Tag("app", app)
	src.Tag("unrelated", src.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "s390x"}}))
	sbom := src.Attach(app, "a/sbom", []byte("sbom"))
	signature := src.Attach(sbom, "a/signature", []byte("signature of the sbom"))
	report := src.Attach(arm, "a/report", []byte("report on arm64"))
	cosign := "sha256-" + amd.Digest.Encoded() + ".att"
	src.Tag(cosign, src.Artifact("a/cosign", nil, []byte("attestation")))
	src.Tag("sha256-"+build.SHA512(nil).Encoded()[:64]+".sig", src.Artifact("a/cosign", nil, []byte("of something else")))

	dst := writable(t)
	done, err := layout.Transfer(t.Context(), dst, []layout.Source{{Reader: openBuilt(t, src), Ref: layout.Reference{Name: "app"}}}, layout.TransferOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if done.Referrers != 4 {
		t.Errorf("%d referrers came", done.Referrers)
	}
	want := []string{"app", cosign, build.FallbackTag(app.Digest), build.FallbackTag(sbom.Digest), build.FallbackTag(arm.Digest)}
	got := names(t, dst.Reader)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("entries are %v, want %v", got, want)
	}
	m, err := dst.ReferrerMap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for subject, artifact := range map[content.Digest]content.Digest{app.Digest: sbom.Digest, sbom.Digest: signature.Digest, arm.Digest: report.Digest} {
		if list := m.Of(subject); len(list) != 1 || list[0].Digest != artifact {
			t.Errorf("referrers of %s are %v", subject, list)
		}
	}
}

// TestTransferMergesLists: what the destination's list has besides stays as it is.
func TestTransferMergesLists(t *testing.T) {
	image := build.Image{}
	one, two := build.NewLayout(), build.NewLayout()
	app := one.Image(image)
	one.Tag("app", app)
	two.Tag("app", two.Image(image))
	first, second := one.Artifact("a/one", &app, []byte("1")), two.Artifact("a/two", &app, []byte("2"))
	odd := json.RawMessage(`{"mediaType":"` + first.MediaType + `","digest":"` + first.Digest.String() + `","size":` + string(build.JSON(first.Size)) + `,"odd":1e3,"artifactType":"a/one"}`)
	tag := build.FallbackTag(app.Digest)
	one.Tag(tag, one.Put(ocispec.MediaTypeImageIndex, []byte(`{"schemaVersion":2,"x":[1.0],"mediaType":"`+ocispec.MediaTypeImageIndex+`","manifests":[`+string(odd)+`]}`)))
	two.Tag(tag, two.Index(second))

	for _, ref := range []layout.Reference{{Name: "app"}, {}} {
		dst := writable(t)
		for _, src := range []*build.Layout{one, two, two} {
			if _, err := layout.Transfer(t.Context(), dst, []layout.Source{{Reader: openBuilt(t, src), Ref: ref}}, layout.TransferOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		list, err := dst.Resolve(t.Context(), tag)
		if err != nil {
			t.Fatal(err)
		}
		data, err := content.FetchAll(t.Context(), dst, list, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var index ocispec.Index
		if err := json.Unmarshal(data, &index); err != nil {
			t.Fatal(err)
		}
		if len(index.Manifests) != 2 || index.Manifests[0].Digest != first.Digest || index.Manifests[1].Digest != second.Digest {
			t.Errorf("%+v: the list is %s", ref, data)
		}
		if ref.Name == "" && (!slices.Contains(fields(data), `[1.0]`) || !contains(data, odd)) {
			t.Errorf("the list lost what was odd: %s", data)
		}
	}
}

func fields(data []byte) []string {
	var m map[string]json.RawMessage
	if json.Unmarshal(data, &m) != nil {
		return nil
	}
	var values []string
	for _, v := range m {
		values = append(values, string(v))
	}
	return values
}

func contains(data, part []byte) bool {
	for i := range data {
		if len(data)-i >= len(part) && string(data[i:i+len(part)]) == string(part) {
			return true
		}
	}
	return false
}

func TestTransferIsAllOrNothing(t *testing.T) {
	good, bad := build.Hello(), build.NewLayout()
	broken := bad.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("own", "of this image alone")}}}})
	bad.Tag("broken", broken)
	m, err := content.ParseManifest(broken.MediaType, bad.Blobs[broken.Digest])
	if err != nil {
		t.Fatal(err)
	}
	bad.Blobs[m.Layers[0].Digest][5] ^= 1
	dst := writable(t)
	sources := []layout.Source{{Reader: openBuilt(t, good)}, {Reader: openBuilt(t, bad, testkit.BrokenOK)}}
	if _, err := layout.Transfer(t.Context(), dst, sources, layout.TransferOptions{}); !errors.Is(err, content.ErrDigest) {
		t.Errorf("got %v", err)
	}
	if got := names(t, dst.Reader); len(got) != 0 {
		t.Errorf("entries are %v", got)
	}
	if _, err := layout.Transfer(t.Context(), dst, sources[:1], layout.TransferOptions{Name: "a b"}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("a bad name: %v", err)
	}
}

func TestDeleteFollowsReferrers(t *testing.T) {
	src := build.NewLayout()
	app := src.Image(build.Image{})
	src.Tag("app", app)
	src.Tag("also", app)
	sbom := src.Attach(app, "a/sbom", []byte("sbom"))
	signature := src.Attach(sbom, "a/signature", []byte("signature"))
	dir := testkit.Layout(t, src)
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	done, err := l.Delete(t.Context(), app.Digest, true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(done.Names, []string{"app", "also"}) || !slices.Equal(done.Referrers, []content.Digest{sbom.Digest, signature.Digest}) {
		t.Errorf("got %+v", done)
	}
	if got := names(t, l.Reader); len(got) != 0 {
		t.Errorf("entries are %v", got)
	}
	if _, err := l.Delete(t.Context(), app.Digest, false); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs", "sha256", app.Digest.Encoded())); err != nil {
		t.Errorf("the blob went: %v", err)
	}
}

func TestTagIsOneStep(t *testing.T) {
	l, err := layout.Open(testkit.Layout(t, build.Hello()), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	ref := layout.Reference{Name: "v1"}
	if _, err := l.TagNames(t.Context(), ref, []string{"v2", "bad name"}, layout.TagOptions{}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if _, err := l.Untag(t.Context(), []layout.Reference{ref, {Name: "nope"}}, layout.UntagOptions{}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if got := names(t, l.Reader); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("entries are %v", got)
	}
}

func TestCreateIsTheSameEverywhere(t *testing.T) {
	platforms := []content.Platform{{OS: "linux", Architecture: "x86_64"}, {OS: "linux", Architecture: "arm"}}
	var digests []content.Digest
	for range 2 {
		l := writable(t)
		change, err := l.Create(context.Background(), "base", platforms, layout.Fail)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, change.New)
		if _, err := l.Create(t.Context(), "base", platforms[:1], layout.Fail); !errors.Is(err, content.ErrConflict) {
			t.Errorf("a name that is taken: %v", err)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("digests are %v", digests)
	}
}
