package mutate_test

import (
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/mutate"
)

const anyConfig = `{"os":"linux","architecture":"amd64","config":{"Labels":{"b":"\u0032", "a":"1"}},"rootfs":{"type":"layers","diff_ids":["` + diffID + `"]}}`

// TestAnnotations holds the annotations of a manifest to their bytes.
func TestAnnotations(t *testing.T) {
	dig := "sha256:" + strings.Repeat("a", 64)
	for _, test := range []struct {
		name, had, want string
		edits           []string
	}{
		{"new", ``, `{"a.b":"c=d,e"}`, []string{"annotation a.b=c=d,e"}},
		{"in place", `,"annotations":{"a":"\u0031", "b":"2"}`, `{"a":"\u0031","b":"3"}`, []string{"annotation b=3", "annotation a=1"}},
		{"goes", `,"annotations":{"a":"1","b":"2"}`, `{"a":"1"}`, []string{"annotation b="}},
		{"the last goes", `,"annotations":{"a":"1"}`, ``, []string{"annotation a="}},
		{"all go", `,"annotations":{"a":"1","b":"2"}`, ``, []string{"clear annotation"}},
		{"for all", ``, `{"a":"1"}`, []string{"annotation [*]a=1"}},
		{"for another platform", `,"annotations":{"a":"1"}`, `{"a":"1"}`, []string{"annotation [linux/arm64]a=2"}},
		{"of labels", `,"annotations":{"b":"2","c":"3"}`, `{"b":"2","c":"3","a":"1"}`, []string{"label-to-annotation"}},
		{"of labels set before", ``, `{"b":"\u0032","a":"x"}`, []string{"label a=x", "label-to-annotation"}},
		{"base", ``, `{"org.opencontainers.image.base.name":"alpine:3","org.opencontainers.image.base.digest":"` + dig + `"}`, []string{"annotation-base alpine:3," + dig}},
		{"promote", `,"annotations":{"a":"1"}`, `{"a":"1"}`, []string{"annotation-promote"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, r := edited(t, rawImage(anyConfig, test.had), flags(t, test.edits...)...)
			if got := field(t, l, r.Entry.Descriptor, "annotations"); got != test.want {
				t.Errorf("annotations are %s, want %s", got, test.want)
			}
		})
	}
}

// TestAnnotationsOfIndex says which of an index and its two images an edit reaches.
func TestAnnotationsOfIndex(t *testing.T) {
	dig := "sha256:" + strings.Repeat("a", 64)
	for _, test := range []struct {
		edit string
		want [3]string // of the index, linux/amd64 and linux/arm64
	}{
		{"annotation x=1", [3]string{``, `"x":"1"`, `"x":"1"`}},
		{"annotation [*]x=1", [3]string{`{"x":"1"}`, `"x":"1"`, `"x":"1"`}},
		{"annotation [linux/arm64]x=1", [3]string{``, `"amd64"`, `"x":"1"`}},
		{"annotation [linux/amd64,linux/arm64]x=1", [3]string{``, `"x":"1"`, `"x":"1"`}},
		{"annotation-promote", [3]string{`{"same":"1"}`, `"same":"1"`, `"same":"1"`}},
		{"clear [*]annotation", [3]string{``, ``, ``}},
		{"annotation-base a," + dig, [3]string{`.base.digest":"` + dig, `.base.digest":"` + dig, `.base.name":"a"`}},
		{"annotation-base [linux/arm64]a," + dig, [3]string{``, `"amd64"`, `.base.name":"a"`}},
	} {
		t.Run(test.edit, func(t *testing.T) {
			l, d := twoPlatforms()
			dst, r := edited(t, l, flags(t, test.edit)...)
			m := manifestOf(t, dst, r.Entry.Descriptor)
			got := [3]string{field(t, dst, r.Entry.Descriptor, "annotations"), field(t, dst, m.Manifests[0], "annotations"), field(t, dst, m.Manifests[1], "annotations")}
			for i, want := range test.want {
				if want == "" && got[i] != "" || !strings.Contains(got[i], want) {
					t.Errorf("annotations %d are %s, want %s", i, got[i], want)
				}
			}
			for i, child := range m.Manifests {
				if len(child.Annotations) != 0 || child.Platform == nil || content.FormatPlatform(*child.Platform) != content.FormatPlatform(*d[i].Platform) {
					t.Errorf("entry %d is %+v", i, child)
				}
			}
		})
	}
}

// TestPromoteSparse warns of a child that is not there.
func TestPromoteSparse(t *testing.T) {
	l, d := twoPlatforms()
	delete(l.Blobs, d[0].Digest)
	dst, r := edited(t, l, flags(t, "annotation-promote")...)
	if got := field(t, dst, r.Entry.Descriptor, "annotations"); got != `{"other":"arm64","same":"1"}` {
		t.Errorf("annotations are %s", got)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], d[0].Digest.String()) {
		t.Errorf("warnings: %q", r.Warnings)
	}
}

// TestBaseOfReference takes the base's name and digest from an entry.
func TestBaseOfReference(t *testing.T) {
	base := build.Descriptor("application/vnd.oci.image.manifest.v1+json", []byte("base"))
	env := testEnv
	env.Resolve = func(ref string) (content.Fetcher, content.Descriptor, error) {
		if ref != "bases:alpine" {
			t.Errorf("resolves %q", ref)
		}
		base.Annotations = map[string]string{content.AnnotationImageName: "docker.io/library/alpine:3"}
		return nil, base, nil
	}
	e, err := tryFlag("annotation-base bases:alpine", env)
	if want := (mutate.AnnotateBase{Name: "docker.io/library/alpine:3", Digest: base.Digest}); err != nil || e.Change != want || !e.On.All {
		t.Errorf("%+v, %v", e, err)
	}
}
