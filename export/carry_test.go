package export_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// attached is a layout with app, an index of two platforms, and everything that can
// belong to it, beside another image with a referrer of its own.
type attached struct {
	*build.Layout
	amd, arm, index                     content.Descriptor
	sbom, signature, note, armNote, sig content.Descriptor
	unbound                             content.Descriptor
}

func newAttached() attached {
	b := attached{Layout: build.NewLayout()}
	b.amd = b.Image(build.Image{})
	b.arm = b.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	b.index = b.Index(b.amd, b.arm)
	b.Tag("app", b.index)
	b.sbom = b.Attach(b.index, "example/sbom", []byte("sbom"))
	b.signature = b.Attach(b.sbom, "example/sig", []byte("of the sbom"))
	b.note = b.Artifact("example/note", &b.amd, []byte("amd64"))
	entry := b.note
	entry.Annotations = map[string]string{"com.example.kept": "yes"}
	b.Add(entry)
	b.armNote = b.Attach(b.arm, "example/note", []byte("arm64"))
	b.unbound = b.Artifact("example/note", nil, []byte("unbound"))
	entry = b.unbound
	entry.Annotations = map[string]string{content.AnnotationSubject: b.index.Digest.String()}
	b.Add(entry)
	b.sig = b.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("sig", "sig")}}}})
	b.Tag("reg.example/app:"+build.FallbackTag(b.amd.Digest)+".sig", b.sig)

	other := b.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("other", "other")}}}})
	b.Tag("other", other)
	b.Attach(other, "example/sbom", []byte("of the other"))
	b.Tag(build.FallbackTag(other.Digest)+".sig", b.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("sig", "other")}}}}))
	return b
}

func digests(list ...content.Descriptor) []content.Digest {
	var all []content.Digest
	for _, d := range list {
		all = append(all, d.Digest)
	}
	slices.Sort(all)
	return all
}

func artifacts(r export.Result) []content.Digest {
	var all []content.Digest
	for _, a := range r.Artifacts {
		all = append(all, a.Digest)
	}
	slices.Sort(all)
	return all
}

// TestCarried: what belongs to a chosen image, and nothing of the others.
func TestCarried(t *testing.T) {
	b := newAttached()
	r := open(t, b.Layout)
	linux := func(arch string) content.Platform { return content.Platform{OS: "linux", Architecture: arch} }
	for name, tt := range map[string]struct {
		o    export.Options
		want []content.Digest
	}{
		"all":           {export.Options{}, digests(b.sbom, b.signature, b.note, b.armNote, b.unbound, b.sig)},
		"one platform":  {export.Options{Platforms: []content.Platform{linux("arm64")}}, digests(b.armNote)},
		"the other":     {export.Options{Platforms: []content.Platform{linux("amd64")}}, digests(b.note, b.sig)},
		"two platforms": {export.Options{Platforms: []content.Platform{linux("amd64"), linux("arm64")}}, digests(b.sbom, b.signature, b.note, b.armNote, b.unbound, b.sig)},
		"none":          {export.Options{NoReferrers: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, result := both(t, roots(t, r, "app"), tt.o)
			if got := artifacts(result); !slices.Equal(got, tt.want) || result.Referrers != len(tt.want) {
				t.Errorf("carried %v (%d), want %v", got, result.Referrers, tt.want)
			}
			for _, a := range result.Artifacts {
				if a.Name != "" || a.Subject == "" {
					t.Errorf("%+v", a)
				}
			}
			if len(result.Images) != 1 || len(result.LeftOut) != 0 {
				t.Errorf("images are %+v, left out %v", result.Images, result.LeftOut)
			}
		})
	}
	_, result := both(t, roots(t, r, "app"), export.Options{Form: export.Docker})
	if len(result.Artifacts) != 0 {
		t.Errorf("for docker: %+v", result.Artifacts)
	}
}

// TestCarriedEntries: entries without names stand behind the images, say what they
// belong to, and keep what they say besides; no tag of theirs is in the archive.
func TestCarriedEntries(t *testing.T) {
	b := newAttached()
	data, _ := both(t, roots(t, open(t, b.Layout), "app"), export.Options{})
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	again, _ := both(t, roots(t, openPath(t, path)), export.Options{})
	chosen, _ := both(t, roots(t, openPath(t, path), "app"), export.Options{})
	if string(again) != string(data) || string(chosen) != string(data) {
		t.Error("an export of the archive is another")
	}
	first := true
	for _, e := range entriesOf(t, openPath(t, path)) {
		switch subject := e.Annotations[content.AnnotationSubject]; {
		case first:
			if e.Name() != "app" {
				t.Errorf("the first is %s", e.Raw)
			}
		case e.Name() != "" || subject == "":
			t.Errorf("an entry is %s", e.Raw)
		case e.Digest == b.note.Digest && (e.Annotations["com.example.kept"] != "yes" || subject != string(b.amd.Digest)):
			t.Errorf("the entry that says more is %s", e.Raw)
		case e.Digest == b.sig.Digest && e.Unshelved().Name() != "reg.example/app:"+build.FallbackTag(b.amd.Digest)+".sig":
			t.Errorf("cosign's entry is %s", e.Raw)
		}
		first = false
	}
}

func entriesOf(t *testing.T, r *layout.Reader) []layout.Entry {
	t.Helper()
	var all []layout.Entry
	err := r.View(context.Background(), func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFallbackTags: they are in the archive beside what they list, of a chosen image
// those of what is there.
func TestFallbackTags(t *testing.T) {
	b := newAttached()
	r := open(t, b.Layout)
	for _, name := range []string{"", "app"} {
		data, _ := both(t, roots(t, r, name), export.Options{FallbackTags: true})
		path := filepath.Join(t.TempDir(), "a.tar")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var tags []string
		for _, e := range entriesOf(t, openPath(t, path)) {
			if strings.Contains(e.Name(), "sha256-") {
				tags = append(tags, e.Name())
			}
		}
		want := []string{build.FallbackTag(b.index.Digest), build.FallbackTag(b.sbom.Digest), build.FallbackTag(b.arm.Digest),
			"reg.example/app:" + build.FallbackTag(b.amd.Digest) + ".sig"}
		if name == "" && len(tags) != len(want)+2 {
			t.Errorf("of all: %q", tags)
		}
		for _, tag := range want {
			if !slices.Contains(tags, tag) {
				t.Errorf("%q: no %s in %q", name, tag, tags)
			}
		}
		if name != "" && len(tags) != len(want) {
			t.Errorf("of one: %q", tags)
		}
	}
	fails(t, roots(t, r), export.Options{FallbackTags: true, NoReferrers: true}, content.ErrInvalid)
	fails(t, roots(t, r), export.Options{FallbackTags: true, Form: export.Docker}, content.ErrInvalid)
}

// TestCosignTagChosen: a name that was asked for stays.
func TestCosignTagChosen(t *testing.T) {
	b := newAttached()
	name := "reg.example/app:" + build.FallbackTag(b.amd.Digest) + ".sig"
	_, result := both(t, roots(t, open(t, b.Layout), name, "app"), export.Options{})
	if n := slices.IndexFunc(result.Artifacts, func(a export.Item) bool { return a.Name == name }); n < 0 || len(result.Artifacts) != 6 {
		t.Errorf("artifacts are %+v", result.Artifacts)
	}
}
