package mutate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

func imageFor(os, arch, text string) build.Image {
	return build.Image{Platform: content.Platform{OS: os, Architecture: arch}, Layers: []build.Layer{{Files: []build.File{build.Text("f", text)}}}}
}

// attestationOf adds an attestation of BuildKit about an image.
func attestationOf(l *build.Layout, of content.Descriptor) content.Descriptor {
	statement := `{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","subject":[{"name":"app","digest":{"sha256":"` + of.Digest.Encoded() + `"}}],"predicate":{}}`
	layer := l.Put("application/vnd.in-toto+json", []byte(statement))
	layer.Annotations = map[string]string{"in-toto.io/predicate-type": "https://spdx.dev/Document"}
	d := l.Image(build.Image{
		Platform: content.Platform{OS: "unknown", Architecture: "unknown"}, Layers: []build.Layer{},
		EditManifest: func(m *ocispec.Manifest) { m.Layers = []content.Descriptor{layer} },
		EditConfig:   func(c *ocispec.Image) { c.RootFS.DiffIDs = []content.Digest{layer.Digest}; c.History = nil },
	})
	d.Annotations = map[string]string{content.AnnotationReferenceDigest: of.Digest.String(), content.AnnotationReferenceType: "attestation-manifest"}
	return d
}

// writable writes a layout and opens it.
func writable(t *testing.T, l *build.Layout, o ...testkit.Option) *layout.Layout {
	t.Helper()
	w, err := layout.Open(testkit.Layout(t, l, o...), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func source(r *layout.Reader, name string) layout.Source {
	return layout.Source{Reader: r, Ref: layout.Reference{Layout: r.Path(), Name: name}}
}

// indexBytes reads what a name stands for.
func indexBytes(t *testing.T, r *layout.Reader, name string) (content.Descriptor, content.Manifest, []byte) {
	t.Helper()
	d, err := r.Resolve(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	m, data, err := content.FetchManifest(t.Context(), r, d, r.Limits())
	if err != nil {
		t.Fatal(err)
	}
	return d, m, data
}

func platforms(m content.Manifest) string {
	var list []string
	for _, child := range m.Manifests {
		switch {
		case content.IsAttestation(child):
			list = append(list, "attestation")
		case child.Platform == nil:
			list = append(list, child.MediaType)
		default:
			list = append(list, content.FormatPlatform(*child.Platform))
		}
	}
	return strings.Join(list, " ")
}

func TestCreateIndex(t *testing.T) {
	l := build.NewLayout()
	windows := imageFor("windows", "amd64", "w")
	windows.Platform.OSVersion, windows.Platform.OSFeatures = "10.0.20348", []string{"win32k"}
	l.Tag("win", l.Image(windows))
	arm := imageFor("linux", "arm64", "a")
	arm.Platform.Variant = "v8"
	l.Tag("arm", l.Image(arm))
	subject := l.Image(imageFor("linux", "amd64", "subject"))
	l.Tag("base", subject)
	w := writable(t, l)

	other := build.NewLayout()
	amd := other.Image(imageFor("linux", "amd64", "x"))
	unknown := bytes.Replace(build.JSON(build.IndexOf(amd, attestationOf(other, amd), other.Image(imageFor("linux", "s390x", "z")))), []byte(`"platform":`), []byte(`"x.unknown": 1e3,"platform":`), 1)
	other.Tag("app", other.Put(ocispec.MediaTypeImageIndex, unknown))
	sbom := other.Attach(amd, "text/sbom", []byte("sbom"))
	other.Tag(strings.Replace(amd.Digest.String(), ":", "-", 1)+".sig", other.Image(imageFor("linux", "amd64", "signature")))
	r, err := layout.OpenReader(testkit.Archive(t, "other.tar", other.Files()...), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })

	sources := []layout.Source{source(w.Reader, "win"), source(r, "app"), source(w.Reader, "arm"), source(w.Reader, "arm")}
	o := mutate.IndexOptions{ArtifactType: "text/set", Annotations: map[string]string{"b": "<2>", "a": "1"}, Subject: &subject}
	report, err := mutate.CreateIndex(t.Context(), w, "multi", sources, o)
	if err != nil {
		t.Fatal(err)
	}
	d, m, data := indexBytes(t, w.Reader, "multi")
	if got, want := platforms(m), "windows(10.0.20348+win32k)/amd64 linux/amd64 attestation linux/s390x linux/arm64"; got != want {
		t.Errorf("children %s, want %s", got, want)
	}
	if !bytes.Contains(data, []byte(`"x.unknown": 1e3,`)) || !bytes.Contains(data, []byte(`"annotations":{"a":"1","b":"<2>"}`)) {
		t.Errorf("bytes of a child or of annotations: %s", data)
	}
	if report.New != d.Digest || len(report.Images) != 4 || report.Attestations != 1 || report.Referrers != 2 || m.Subject.Digest != subject.Digest {
		t.Errorf("report %+v", report)
	}
	for of, want := range map[content.Digest]content.Digest{amd.Digest: sbom.Digest, subject.Digest: d.Digest} {
		found, err := w.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: content.Descriptor{Digest: of}})
		if err != nil || len(found) != 1 || found[0].Digest != want {
			t.Errorf("referrers of %s: %+v, %v", of, found, err)
		}
	}
	if _, err := w.Resolve(t.Context(), strings.Replace(amd.Digest.String(), ":", "-", 1)+".sig"); err != nil {
		t.Error(err)
	}
	// the same again, elsewhere, is the same
	second := writable(t, l)
	sources[0], sources[2], sources[3] = source(second.Reader, "win"), source(second.Reader, "arm"), source(second.Reader, "arm")
	again, err := mutate.CreateIndex(t.Context(), second, "other-name", sources, o)
	if err != nil || again.New != d.Digest {
		t.Errorf("another digest: %v %v", again.Change, err)
	}
	// made from another, it is a referrer of the same subject
	report, err = mutate.RemoveFromIndex(t.Context(), w, layout.Reference{Name: "multi"}, mutate.IndexRemoval{Platforms: []content.Platform{{OS: "linux", Architecture: "arm64"}}}, mutate.IndexTarget{Tag: "fewer"})
	if err != nil {
		t.Fatal(err)
	}
	found, err := w.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: subject, Type: "text/set"})
	if err != nil || len(found) != 2 {
		t.Errorf("referrers %+v, %v", found, err)
	}
	if lists, err := w.ListedIn(t.Context(), report.New); err != nil || len(lists) != 1 {
		t.Errorf("on the lists %v, %v", lists, err)
	}
	// of some platforms
	if _, err := mutate.CreateIndex(t.Context(), w, "s390x", sources[1:2], mutate.IndexOptions{Platforms: []content.Platform{{OS: "linux", Architecture: "s390x"}}}); err != nil {
		t.Fatal(err)
	}
	if _, m, _ := indexBytes(t, w.Reader, "s390x"); platforms(m) != "linux/s390x" {
		t.Errorf("children %s", platforms(m))
	}
	// nested
	if _, err := mutate.CreateIndex(t.Context(), w, "nested", []layout.Source{source(w.Reader, "arm"), source(w.Reader, "s390x")}, mutate.IndexOptions{Nested: true}); err != nil {
		t.Fatal(err)
	}
	if _, m, _ := indexBytes(t, w.Reader, "nested"); platforms(m) != "linux/arm64 "+ocispec.MediaTypeImageIndex {
		t.Errorf("children %s", platforms(m))
	}
}

func TestCreateIndexRefuses(t *testing.T) {
	l := build.NewLayout()
	one, two := l.Image(imageFor("linux", "amd64", "1")), l.Image(imageFor("linux", "amd64", "2"))
	l.Tag("one", one)
	l.Tag("two", two)
	l.Tag("arm", l.Image(imageFor("linux", "arm64", "1")))
	l.Tag("both", l.Index(two))
	l.Tag("file", l.Artifact("text/x", nil, []byte("x")))
	wrong := two
	wrong.Platform = &content.Platform{OS: "linux", Architecture: "arm64"}
	l.Tag("wrong", l.Index(wrong))
	wrong.Annotations = map[string]string{content.AnnotationRefName: "wrong-entry"}
	l.Add(wrong)
	bare := l.Image(build.Image{Platform: content.Platform{OS: "linux"}})
	bare.Platform = nil
	l.Tag("bare", bare)
	v6, v7 := one, one
	v6.Platform = &content.Platform{OS: "linux", Architecture: "amd64", Variant: "v2"}
	v7.Platform = &content.Platform{OS: "linux", Architecture: "amd64", Variant: "v3"}
	l.Tag("twice", l.Index(v6, v7))
	w := writable(t, l, testkit.BrokenOK) // verify finds the wrong platform
	before, err := w.ReadFile("index.json", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		names string
		o     mutate.IndexOptions
		want  error
		text  string
	}{
		{"one two", mutate.IndexOptions{}, content.ErrRefused, "two images for linux/amd64"},
		{"one both", mutate.IndexOptions{Nested: true}, content.ErrRefused, "two images for linux/amd64"},
		{"wrong", mutate.IndexOptions{}, content.ErrRefused, "the index says that it is for linux/arm64, its config linux/amd64"},
		{"wrong-entry", mutate.IndexOptions{}, content.ErrRefused, "for linux/arm64, its config linux/amd64"},
		{"twice", mutate.IndexOptions{}, content.ErrRefused, "is there for two platforms"},
		{"file", mutate.IndexOptions{}, content.ErrInvalid, "is no image"},
		{"bare", mutate.IndexOptions{}, content.ErrInvalid, "no platform"},
		{"both", mutate.IndexOptions{Platforms: []content.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}}, content.ErrNotFound, "no source has an image for linux/arm64"},
		{"both", mutate.IndexOptions{Nested: true, Platforms: []content.Platform{{OS: "linux", Architecture: "amd64"}}}, content.ErrInvalid, "keeps all its platforms"},
		{"one", mutate.IndexOptions{Subject: &content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: build.Descriptor("", []byte("none")).Digest, Size: 4}}, content.ErrNotFound, "subject"},
		{"one nothing", mutate.IndexOptions{}, content.ErrNotFound, "nothing"},
	} {
		var sources []layout.Source
		for name := range strings.FieldsSeq(test.names) {
			sources = append(sources, source(w.Reader, name))
		}
		if _, err := mutate.CreateIndex(t.Context(), w, "new", sources, test.o); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v, want %v: %s", test.names, err, test.want, test.text)
		}
	}
	if _, err := mutate.CreateIndex(t.Context(), w, "one", []layout.Source{source(w.Reader, "arm")}, mutate.IndexOptions{Policy: layout.Fail}); !errors.Is(err, content.ErrConflict) {
		t.Errorf("a name that is taken: %v", err)
	}
	if report, err := mutate.CreateIndex(t.Context(), w, "one", []layout.Source{source(w.Reader, "arm")}, mutate.IndexOptions{Policy: layout.Skip, Subject: &two}); err != nil || !report.Skipped {
		t.Errorf("a name that is taken: %+v %v", report, err)
	}
	after, err := w.ReadFile("index.json", 1<<20)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("index.json has changed: %v\n%s", err, after)
	}
}

func TestIndexAddAndRemoveKeepBytes(t *testing.T) {
	l := build.NewLayout()
	amd, arm := l.Image(imageFor("linux", "amd64", "1")), l.Image(imageFor("linux", "arm64", "1"))
	text := build.JSON(build.IndexOf(amd, attestationOf(l, amd), arm))
	text = bytes.Replace(text, []byte(`{"schemaVersion":2`), []byte(`{"x":[ 1.0 ],"schemaVersion":2`), 1)
	text = bytes.ReplaceAll(text, []byte(`"platform":{`), []byte(`"own" : {"k":1e2}, "platform":{`))
	old := l.Put(ocispec.MediaTypeImageIndex, text)
	entry := old
	entry.Annotations = map[string]string{content.AnnotationRefName: "app", "keep": "me"}
	l.Add(entry)
	l.Tag("riscv", l.Image(imageFor("linux", "riscv64", "1")))
	l.Attach(old, "text/sbom", []byte("x"))
	w := writable(t, l)
	ref := layout.Reference{Name: "app"}
	replace := mutate.IndexTarget{Replace: true}

	report, err := mutate.AddToIndex(t.Context(), w, ref, []layout.Source{source(w.Reader, "riscv"), source(w.Reader, "app")}, replace, mutate.IndexOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d, m, data := indexBytes(t, w.Reader, "app")
	if got := platforms(m); got != "linux/amd64 attestation linux/arm64 linux/riscv64" {
		t.Errorf("children %s", got)
	}
	if !bytes.HasPrefix(data, text[:len(text)-2]) || report.Old != old.Digest || report.New != d.Digest || report.Left != 1 {
		t.Errorf("report %+v\n%s\n%s", report, text, data)
	}
	if e, err := w.Lookup(t.Context(), ref); err != nil || e.Annotations["keep"] != "me" {
		t.Errorf("entry %+v %v", e, err)
	}
	// taken out again, it is what it was
	report, err = mutate.RemoveFromIndex(t.Context(), w, ref, mutate.IndexRemoval{Platforms: []content.Platform{{OS: "linux", Architecture: "riscv64"}}}, replace)
	if err != nil || report.New != old.Digest || report.Left != 0 {
		t.Errorf("report %+v %v", report, err)
	}
	// an attestation goes with its image, or alone
	_, err = mutate.RemoveFromIndex(t.Context(), w, ref, mutate.IndexRemoval{Digests: []content.Digest{amd.Digest}}, mutate.IndexTarget{Tag: "small"})
	if err != nil {
		t.Fatal(err)
	}
	if _, m, _ := indexBytes(t, w.Reader, "small"); platforms(m) != "linux/arm64" {
		t.Errorf("children %s", platforms(m))
	}
	_, m, _ = indexBytes(t, w.Reader, "app")
	_, err = mutate.RemoveFromIndex(t.Context(), w, ref, mutate.IndexRemoval{Digests: []content.Digest{m.Manifests[1].Digest}}, mutate.IndexTarget{Tag: "plain"})
	if err != nil {
		t.Fatal(err)
	}
	if _, m, _ := indexBytes(t, w.Reader, "plain"); platforms(m) != "linux/amd64 linux/arm64" {
		t.Errorf("children %s", platforms(m))
	}
	for name, try := range map[string]func() error{
		"neither name": func() error {
			_, err := mutate.AddToIndex(t.Context(), w, ref, nil, mutate.IndexTarget{}, mutate.IndexOptions{})
			return err
		},
		"no index": func() error {
			_, err := mutate.AddToIndex(t.Context(), w, layout.Reference{Name: "riscv"}, nil, replace, mutate.IndexOptions{})
			return err
		},
		"nothing to remove": func() error {
			_, err := mutate.RemoveFromIndex(t.Context(), w, ref, mutate.IndexRemoval{}, replace)
			return err
		},
	} {
		if err := try(); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, gone := range []mutate.IndexRemoval{{Platforms: []content.Platform{{OS: "linux", Architecture: "s390x"}}}, {Digests: []content.Digest{old.Digest}}} {
		if _, err := mutate.RemoveFromIndex(t.Context(), w, ref, gone, replace); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%+v: %v", gone, err)
		}
	}
	if _, err := mutate.AddToIndex(t.Context(), w, ref, []layout.Source{source(w.Reader, "plain")}, mutate.IndexTarget{Tag: "same"}, mutate.IndexOptions{}); err != nil {
		t.Errorf("all are there: %v", err)
	}
}

func TestIndexOfDockerStaysOne(t *testing.T) {
	l := build.NewLayout()
	image := func(arch string) content.Descriptor {
		i := imageFor("linux", arch, arch)
		i.Docker = true
		return l.Image(i)
	}
	index := build.IndexOf(image("amd64"))
	index.MediaType = content.DockerManifestList
	l.Tag("list", l.JSON(content.DockerManifestList, index))
	l.Tag("arm", image("arm64"))
	l.Tag("oci", l.Image(imageFor("linux", "s390x", "x")))
	w := writable(t, l)
	if _, err := mutate.AddToIndex(t.Context(), w, layout.Reference{Name: "list"}, []layout.Source{source(w.Reader, "arm")}, mutate.IndexTarget{Replace: true}, mutate.IndexOptions{}); err != nil {
		t.Fatal(err)
	}
	d, m, _ := indexBytes(t, w.Reader, "list")
	if d.MediaType != content.DockerManifestList || m.MediaType != content.DockerManifestList || platforms(m) != "linux/amd64 linux/arm64" {
		t.Errorf("%s %s", d.MediaType, platforms(m))
	}
	if _, err := mutate.AddToIndex(t.Context(), w, layout.Reference{Name: "list"}, []layout.Source{source(w.Reader, "oci")}, mutate.IndexTarget{Replace: true}, mutate.IndexOptions{}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("an OCI image: %v", err)
	}
}

func TestMergeIndex(t *testing.T) {
	builds := map[string]*build.Layout{}
	var amd content.Descriptor
	for _, arch := range []string{"amd64", "arm64"} {
		l := build.NewLayout()
		image := l.Image(imageFor("linux", arch, arch))
		if arch == "amd64" {
			amd = image
		}
		index := l.Index(image, attestationOf(l, image))
		l.Tag("docker.io/library/app:latest", index)
		l.Tag("second-name", index)
		l.Attach(image, "text/sbom", []byte(arch))
		l.Tag(strings.Replace(image.Digest.String(), ":", "-", 1)+".sig", l.Image(imageFor("linux", arch, "signature")))
		builds[arch] = l
	}
	open := func(arch string) *layout.Reader {
		path := testkit.Layout(t, builds[arch])
		if arch == "arm64" {
			path = testkit.Archive(t, "arm64.tar", builds[arch].Files()...)
		}
		r, err := layout.OpenReader(path, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	sources := []layout.Source{source(open("arm64"), ""), source(open("amd64"), "")}
	o := mutate.MergeOptions{Require: []content.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}}
	w := writable(t, nil)
	report, err := mutate.MergeIndex(t.Context(), w, "app", sources, o)
	if err != nil {
		t.Fatal(err)
	}
	_, m, _ := indexBytes(t, w.Reader, "app")
	if got := platforms(m); got != "linux/amd64 attestation linux/arm64 attestation" {
		t.Errorf("children %s", got)
	}
	if report.Lifted != 2 || len(report.NotLifted) != 0 || report.Referrers != 4 || report.Attestations != 2 {
		t.Errorf("report %+v", report)
	}
	found, err := w.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: amd})
	var types []string
	for _, r := range found {
		types = append(types, r.ArtifactType)
	}
	slices.Sort(types)
	if err != nil || strings.Join(types, " ") != "application/vnd.in-toto+json text/sbom" {
		t.Errorf("referrers %v %v", types, err)
	}
	// in another order, into another layout, the same digest; again, nothing new
	second := writable(t, nil)
	slices.Reverse(sources)
	if again, err := mutate.MergeIndex(t.Context(), second, "x", sources, o); err != nil || again.New != report.New {
		t.Errorf("another digest: %+v %v", again, err)
	}
	if again, err := mutate.MergeIndex(t.Context(), w, "app", sources, o); err != nil || again.Moved() || again.Left != 0 {
		t.Errorf("merged again: %+v %v", again, err)
	}
	drop := o
	if err := drop.SetAttestations("drop"); err != nil {
		t.Fatal(err)
	}
	if _, err := mutate.MergeIndex(t.Context(), second, "dropped", sources, drop); err != nil {
		t.Fatal(err)
	}
	if _, m, _ := indexBytes(t, second.Reader, "dropped"); platforms(m) != "linux/amd64 linux/arm64" {
		t.Errorf("children %s", platforms(m))
	}
	third := writable(t, nil)
	o.Require = append(o.Require, content.Platform{OS: "linux", Architecture: "s390x"})
	if _, err := mutate.MergeIndex(t.Context(), third, "app", sources, o); !errors.Is(err, content.ErrRefused) || !strings.Contains(err.Error(), "linux/s390x") {
		t.Errorf("a platform is missing: %v", err)
	}
	if _, err := mutate.MergeIndex(t.Context(), third, "app", append(sources, source(w.Reader, "")), mutate.MergeOptions{}); err != nil {
		t.Errorf("an image twice: %v", err)
	}
	empty := writable(t, nil)
	if _, err := mutate.MergeIndex(t.Context(), third, "app", []layout.Source{source(empty.Reader, "")}, mutate.MergeOptions{}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("an empty source: %v", err)
	}
}

// The same input gives the same digest on every machine and with every release.
func TestMergeIndexGolden(t *testing.T) {
	w := writable(t, nil)
	for _, arch := range []string{"arm64", "amd64"} {
		if _, err := w.Create(t.Context(), arch, []content.Platform{{OS: "linux", Architecture: arch}}, layout.Fail); err != nil {
			t.Fatal(err)
		}
	}
	report, err := mutate.MergeIndex(t.Context(), w, "app", []layout.Source{source(w.Reader, "")}, mutate.MergeOptions{})
	if want := content.Digest("sha256:7863d89ec1a350c0f53f23abb010fbb11c3c30ea9e1bdb642b8599e63ffb4df6"); err != nil || report.New != want {
		t.Errorf("digest %s, want %s, %v", report.New, want, err)
	}
}

// What is hostile in an index of a source does not get far.
func TestCreateIndexHostile(t *testing.T) {
	l := build.NewLayout()
	image := l.Image(imageFor("linux", "amd64", "1"))
	child, err := json.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	l.Tag("keys", l.Put(ocispec.MediaTypeImageIndex, []byte(`{"schemaVersion":2,"manifests":[],"manifests":[`+string(child)+`]}`)))
	nested := l.Index(image)
	for range 20 {
		nested = l.Index(nested)
	}
	l.Tag("deep", nested)
	r, err := layout.OpenReader(testkit.Layout(t, l, testkit.BrokenOK), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	w := writable(t, nil)
	for name, want := range map[string]error{"keys": content.ErrCorrupt, "deep": content.ErrRefused} {
		if _, err := mutate.CreateIndex(t.Context(), w, "new", []layout.Source{source(r, name)}, mutate.IndexOptions{}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}
