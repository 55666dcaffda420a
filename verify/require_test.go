package verify_test

import (
	"context"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/verify"
)

// TestRequiredReferrer: wherever in the layout the referrer is, of a root and of a whole
// layout; only its own subject counts, and its type.
func TestRequiredReferrer(t *testing.T) {
	for name, c := range map[string]struct {
		attach func(l *build.Layout, image content.Descriptor)
		ok     bool
	}{
		"on a list": {func(l *build.Layout, image content.Descriptor) { l.Attach(image, "text/plain", []byte("x")) }, true},
		"an entry":  {func(l *build.Layout, image content.Descriptor) { l.Add(l.Artifact("text/plain", &image, []byte("x"))) }, true},
		"in an index": {func(l *build.Layout, image content.Descriptor) {
			l.Add(l.Index(l.Artifact("text/plain", &image, []byte("x"))))
		}, true},
		"another type": {func(l *build.Layout, image content.Descriptor) { l.Attach(image, "text/html", []byte("x")) }, false},
		"of a referrer": {func(l *build.Layout, image content.Descriptor) {
			l.Attach(l.Attach(image, "text/html", []byte("x")), "text/plain", []byte("x"))
		}, false},
		"claimed": {func(l *build.Layout, image content.Descriptor) {
			a := l.Artifact("text/plain", nil, []byte("x"))
			a.Annotations = map[string]string{content.AnnotationSubject: image.Digest.String()}
			l.Add(a)
		}, false},
	} {
		l := build.Hello()
		image := l.Entries[0]
		c.attach(l, image)
		dir := testkit.Layout(t, l)
		for _, roots := range [][]content.Descriptor{nil, {image}} {
			for range 2 { // the second time there is a catalog
				got, err := verify.Check(context.Background(), open(t, dir), roots, verify.Options{Referrers: []string{"text/plain"}})
				if err != nil || got.OK != c.ok {
					t.Errorf("%s, %d roots: %+v, %v", name, len(roots), got, err)
				}
				if !c.ok && (got.Problems[0].ID != verify.RequiredReferrer || got.Problems[0].Digest != image.Digest) {
					t.Errorf("%s: %+v", name, got.Problems)
				}
			}
		}
	}
}

// TestRequiredReferrerIsJudged: the referrer of a root is read with it.
func TestRequiredReferrerIsJudged(t *testing.T) {
	l := build.Hello()
	image := l.Entries[0]
	a := l.Attach(image, "text/plain", []byte("text"))
	m, err := content.ParseManifest("", l.Blobs[a.Digest])
	if err != nil {
		t.Fatal(err)
	}
	delete(l.Blobs, m.Layers[0].Digest)
	dir := testkit.Layout(t, l, testkit.BrokenOK)
	for _, c := range []struct {
		o  verify.Options
		ok bool
	}{{verify.Options{}, true}, {verify.Options{Referrers: []string{"text/plain"}}, false}} {
		got, err := verify.Check(context.Background(), open(t, dir), []content.Descriptor{image}, c.o)
		if err != nil || got.OK != c.ok {
			t.Errorf("%+v: %+v, %v", c.o, got, err)
		}
	}
}

// TestRequiredPlatform: at any depth, by the index or the config, once normalised; an
// attestation is none, and neither is what is listed and not there.
func TestRequiredPlatform(t *testing.T) {
	arm64 := content.Platform{OS: "linux", Architecture: "arm64"}
	for name, c := range map[string]struct {
		image func(l *build.Layout) content.Descriptor
		ok    bool
	}{
		"a manifest": {func(l *build.Layout) content.Descriptor { return l.Image(build.Image{Platform: arm64}) }, true},
		"in an index": {func(l *build.Layout) content.Descriptor {
			return l.Index(l.Image(build.Image{}), l.Index(l.Image(build.Image{Platform: arm64})))
		}, true},
		"by its config": {func(l *build.Layout) content.Descriptor {
			d := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "aarch64", Variant: "v8"}})
			d.Platform = nil
			return l.Index(d)
		}, true},
		"another":       {func(l *build.Layout) content.Descriptor { return l.Image(build.Image{}) }, false},
		"another index": {func(l *build.Layout) content.Descriptor { return l.Index(l.Image(build.Image{})) }, false},
		"not there": {func(l *build.Layout) content.Descriptor {
			d := l.Image(build.Image{Platform: arm64})
			index := l.Index(l.Image(build.Image{}), d)
			delete(l.Blobs, d.Digest)
			return index
		}, false},
		"an empty index": {func(l *build.Layout) content.Descriptor { return l.Index() }, false},
	} {
		l := build.NewLayout()
		l.Tag("v1", c.image(l))
		dir := testkit.Layout(t, l)
		got, err := verify.Check(context.Background(), open(t, dir), l.Entries, verify.Options{Platforms: []content.Platform{arm64}})
		if err != nil || got.OK != c.ok {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if !c.ok && got.Problems[0].ID != verify.RequiredPlatform {
			t.Errorf("%s: %+v", name, got.Problems)
		}
	}
}

// TestAllowMissing: what is not there is a note, but for what the caller names.
func TestAllowMissing(t *testing.T) {
	l := build.Hello()
	image := l.Entries[0]
	clear(l.Blobs)
	dir := testkit.Layout(t, l, testkit.BrokenOK)
	for _, roots := range [][]content.Descriptor{nil, {image}} {
		got, err := verify.Check(context.Background(), open(t, dir), roots, verify.Options{AllowMissing: true})
		if err != nil || got.OK != (roots == nil) || len(got.Problems) != 1 {
			t.Errorf("%d roots: %+v, %v", len(roots), got, err)
		}
	}
}
