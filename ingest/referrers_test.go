package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// claim adds an entry that says to belong to a subject, without a name.
func claim(b *build.Layout, artifact content.Descriptor, subject content.Digest, more ...string) {
	artifact.Annotations = map[string]string{content.AnnotationSubject: subject.String()}
	for i := 0; i+1 < len(more); i += 2 {
		artifact.Annotations[more[i]] = more[i+1]
	}
	b.Add(artifact)
}

// listed are the digests on the list of a subject's referrers, in order.
func listed(t *testing.T, l *layout.Layout, subject content.Digest) []content.Digest {
	t.Helper()
	var all []content.Digest
	for _, d := range manifestOf(t, l, layout.FallbackTag(subject)).Manifests {
		all = append(all, d.Digest)
	}
	return all
}

// TestReferrersWithoutNames: what a manifest itself says goes on the list, and its
// entry goes unless it says more; what only the entry says stays there.
func TestReferrersWithoutNames(t *testing.T) {
	b := build.NewLayout()
	app := b.Image(build.Image{})
	b.Tag("app", app)
	plain := b.Artifact("example/sbom", &app, []byte("sbom"))
	signature := b.Artifact("example/sig", &plain, []byte("of the sbom"))
	more := b.Artifact("example/note", &app, []byte("note"))
	unbound := b.Artifact("example/note", nil, []byte("nobody's"))
	claim(b, plain, app.Digest)
	claim(b, signature, plain.Digest)
	claim(b, more, app.Digest, "com.example.kept", "yes")
	claim(b, unbound, app.Digest)
	l, result := mustImport(t, b.Tar(), ingest.Options{})

	if got := listed(t, l, app.Digest); !slices.Equal(got, []content.Digest{plain.Digest, more.Digest}) {
		t.Errorf("the image's list is %v", got)
	}
	if got := listed(t, l, plain.Digest); !slices.Equal(got, []content.Digest{signature.Digest}) {
		t.Errorf("the artifact's list is %v", got)
	}
	var unnamed []content.Digest
	for _, e := range entries(t, l) {
		if e.Name() == "" {
			unnamed = append(unnamed, e.Digest)
		}
	}
	if !slices.Equal(unnamed, []content.Digest{more.Digest, unbound.Digest}) {
		t.Errorf("entries without a name: %v", unnamed)
	}
	if result.Referrers != 3 || len(result.Images) != 3 {
		t.Errorf("the result is %+v", result)
	}
}

// TestListsBecomeOne: lists of referrers are never overwritten.
func TestListsBecomeOne(t *testing.T) {
	ctx := context.Background()
	archive := func(files ...string) ([]byte, content.Digest, []content.Digest) {
		b := build.NewLayout()
		app := b.Image(build.Image{})
		b.Tag("app", app)
		var list []content.Descriptor
		var digests []content.Digest
		for _, f := range files {
			a := b.Artifact("example/"+f, &app, []byte(f))
			list, digests = append(list, a), append(digests, a.Digest)
		}
		b.Tag(build.FallbackTag(app.Digest), b.Index(list...))
		return b.Tar(), app.Digest, digests
	}
	l := newLayout(t)
	one, app, want := archive("one", "two")
	two, _, more := archive("two", "three")
	for _, policy := range []layout.Policy{layout.Overwrite, layout.Fail, layout.Skip} {
		for _, data := range [][]byte{one, two} {
			result, err := importBytes(l, data, ingest.Options{Policy: policy})
			if err != nil {
				t.Fatal(err)
			}
			if result.Referrers != 2 || len(result.Images) != 1 || len(result.Changes) != 1 {
				t.Errorf("the result is %+v", result)
			}
		}
	}
	if got := listed(t, l, app); !slices.Equal(got, append(want, more[1])) {
		t.Errorf("the list is %v, want %v and %s", got, want, more[1])
	}
	found, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: app}})
	if err != nil || len(found) != 3 {
		t.Errorf("found %v: %v", found, err)
	}
}

// TestCosignTagsComeBack: the names that an export took away.
func TestCosignTagsComeBack(t *testing.T) {
	b := build.NewLayout()
	app := b.Image(build.Image{})
	b.Tag("app", app)
	sig := build.FallbackTag(app.Digest) + ".sig"
	for i, name := range []string{sig, "reg.example/app:" + sig} {
		d := b.Image(build.Image{Layers: []build.Layer{appLayer(name)}})
		e := layout.NewEntry(d).WithName(name).Shelved(app.Digest)
		d.Annotations = e.Annotations
		b.Add(d)
		if e.Name() != "" || e.Kind() != layout.KindArtifact || len(e.Annotations) != 2+i {
			t.Errorf("%s", e.Raw)
		}
	}
	for _, name := range []string{"latest", sig + " ", build.FallbackTag(content.Digest("sha256:"+strings.Repeat("0", 64))) + ".sig"} {
		d := b.Image(build.Image{Layers: []build.Layer{appLayer("not " + name)}})
		d.Annotations = layout.NewEntry(d).WithAnnotation(content.AnnotationRefName, name).Shelved(app.Digest).Annotations
		b.Add(d)
	}
	l, result := mustImport(t, b.Tar(), ingest.Options{Names: []string{"app"}})
	if got := names(t, l); !slices.Equal(got, []string{"", "", "", "app", "reg.example/app:" + sig, sig}) {
		t.Errorf("names are %q", got)
	}
	if result.Referrers != 2 {
		t.Errorf("the result is %+v", result)
	}
}

// TestOddities: what is no blob, and a name with two meanings, are told and do no harm.
func TestOddities(t *testing.T) {
	var mu sync.Mutex
	var told []error
	warn := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
	}
	b := build.Hello()
	want := b.Digests()
	b.Extra = []build.File{build.Text("blobs/sha256/README", "read me"), build.Text("blobs/index.html", "x")}
	l, _ := mustImport(t, b.Tar(), ingest.Options{Warn: warn})
	if got := blobs(t, l); !slices.Equal(got, want) {
		t.Errorf("blobs are %v", got)
	}
	if len(told) != 4 || !strings.Contains(told[0].Error(), "a.tar: blobs/sha256/README: ") {
		t.Errorf("told %v", told)
	}

	told = nil
	b = build.NewLayout()
	for _, name := range []string{"v1", "app:1", "docker.io/library/app:1", "v1"} {
		b.Tag(name, b.Image(build.Image{Layers: []build.Layer{appLayer(name + string(b.IndexFile()))}}))
	}
	l, err := layout.Init(context.Background(), t.TempDir(), layout.Options{NoSync: true}) // verify would find fault with it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := importBytes(l, b.Tar(), ingest.Options{Warn: warn}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || !errors.Is(told[0], content.ErrAmbiguous) {
		t.Errorf("told %v", told)
	}
	if got := entries(t, l); len(got) != 4 {
		t.Errorf("%d entries: %q", len(got), names(t, l))
	}
	before := indexFile(t, l)
	if _, err := importBytes(l, b.Tar(), ingest.Options{}); err != nil || len(entries(t, l)) != 4 {
		t.Errorf("again: %v\n%s\n%s", err, before, indexFile(t, l))
	}
	if !bytes.Equal(before, indexFile(t, l)) {
		t.Errorf("again:\n%s\n%s", before, indexFile(t, l))
	}
}
