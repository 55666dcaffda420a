package registry_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/registry"
)

// TestReferrerTypes: only what is wanted comes along, and what refers to that.
func TestReferrerTypes(t *testing.T) {
	for _, lacking := range []bool{false, true} {
		reg, ro := fakeregistry.New(t), quick(t)
		reg.NoReferrers = lacking
		built, app := family()
		push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
		var cosign string
		for _, tag := range reg.Tags("app") {
			if strings.HasSuffix(tag, ".att") {
				cosign = tag
			}
		}
		for _, test := range []struct {
			types, want []string
		}{
			{nil, []string{"a/report", "a/sbom", "a/signature", "application/octet-stream"}},
			{[]string{"a/sbom"}, []string{"a/sbom"}},
			{[]string{"a/sbom", "a/signature"}, []string{"a/sbom", "a/signature"}},
			{[]string{"a/signature"}, nil}, // of an SBOM that does not come
			{[]string{"application/octet-stream"}, []string{"application/octet-stream"}},
			{[]string{"a/other"}, nil},
		} {
			dst := writable(t)
			done, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{ReferrerTypes: test.types})
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for _, b := range done.Brought {
				types = append(types, b.ArtifactType)
				data := reg.Manifest("app", b.Digest.String())
				m, err := content.ParseManifest("", data)
				if err != nil {
					t.Fatal(err)
				}
				size := int64(len(data)) + m.Config.Size
				for _, layer := range m.Layers {
					size += layer.Size
				}
				if b.Size != size || b.Tag == "" && b.Subject != m.Subject.Digest {
					t.Errorf("got %+v, want size %d", b, size)
				}
				if cosigned := b.ArtifactType == "application/octet-stream"; cosigned != (b.Tag == cosign) || b.ArtifactType == "a/sbom" && b.Subject != app.Digest {
					t.Errorf("got %+v", b)
				}
			}
			slices.Sort(types)
			if !slices.Equal(types, test.want) || done.Referrers != len(types) {
				t.Errorf("without the API %v, of types %q: got %q, want %q, %d referrers", lacking, test.types, types, test.want, done.Referrers)
			}
		}
	}
}

// TestReferrersAreBounded: more than is allowed is refused, with the subject, before the
// first of their blobs is fetched.
func TestReferrersAreBounded(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built := build.NewLayout()
	app := built.Image(build.Image{})
	built.Tag("app", app)
	for i := range 5 {
		built.Add(built.Artifact("a/sbom", &app, build.Random(uint64(i), 10_000)))
	}
	push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	for name, test := range map[string]struct {
		o    registry.PullOptions
		want error
	}{
		"as many as are there": {registry.PullOptions{MaxReferrers: 5}, nil},
		"one too many":         {registry.PullOptions{MaxReferrers: 4}, content.ErrRefused},
		"others do not count":  {registry.PullOptions{MaxReferrers: 1, ReferrerTypes: []string{"a/other"}}, nil},
		"enough bytes":         {registry.PullOptions{MaxReferrerBytes: 60_000}, nil},
		"too many bytes":       {registry.PullOptions{MaxReferrerBytes: 50_000}, content.ErrRefused},
		"none at all":          {registry.PullOptions{MaxReferrers: 1, NoReferrers: true}, nil},
	} {
		dst := writable(t)
		reg.Requests()
		_, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, test.o)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if test.want == nil {
			continue
		}
		if !strings.Contains(err.Error(), app.Digest.String()) {
			t.Errorf("%s: no subject in %v", name, err)
		}
		if n := entries(t, dst.Reader); n != 0 {
			t.Errorf("%s: %d entries", name, n)
		}
		blobs := 0
		for _, request := range reg.Requests() {
			if strings.Contains(request, "/blobs/") {
				blobs++
			}
		}
		if blobs != 2 {
			t.Errorf("%s: %d blobs were fetched, the image has 2", name, blobs)
		}
	}
}

// TestNestedReferrers: an index that lists one child very often, at every depth, takes no
// longer for it.
func TestNestedReferrers(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built := build.NewLayout()
	app := built.Image(build.Image{})
	built.Tag("app", app)
	many := func(d content.Descriptor) (list []content.Descriptor) {
		for range 20 {
			list = append(list, d)
		}
		return list
	}
	at0 := built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	for range 10 {
		at0 = built.Index(many(at0)...)
	}
	index := build.IndexOf(many(at0)...)
	index.Subject, index.ArtifactType = &app, "a/tower"
	d := built.Put(index.MediaType, build.JSON(index))
	d.ArtifactType = index.ArtifactType
	built.Add(d)
	push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	done, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), writable(t), registry.PullOptions{})
	if err != nil || len(done.Brought) != 1 || done.Brought[0].ArtifactType != "a/tower" {
		t.Errorf("got %+v, %v", done.Brought, err)
	}
}
