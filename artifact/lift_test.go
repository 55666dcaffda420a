package artifact_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

const (
	simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	inToto        = "application/vnd.in-toto+json"
	dsse          = "application/vnd.dsse.envelope.v1+json"
)

// legacy is a layout with an index of one image, and everything that BuildKit and
// cosign attached to the image.
type legacy struct {
	*build.Layout
	image, index, sig content.Descriptor
}

func newLegacy() legacy {
	l := legacy{Layout: build.NewLayout()}
	l.image = l.Image(build.Image{})
	attestation := l.manifest(l.signedLayer(inToto, statementOf(l.image.Digest)), l.signedLayer(inToto, strings.Replace(statementOf(), spdxPredicate, "https://slsa.dev/provenance/v1", 1)))
	attestation.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	attestation.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": l.image.Digest.String()}
	l.index = l.Index(l.image, attestation)
	l.Tag("docker.io/library/app:v1", l.index)
	l.sig = l.manifest(l.signedLayer(simpleSigning, signedPayload(l.image.Digest)), l.signedLayer(simpleSigning, signedPayload(l.image.Digest)+"\n"))
	l.cosign("sig", l.sig)
	l.cosign("att", l.manifest(l.signedLayer(dsse, envelopeOf(inToto, statementOf(l.image.Digest)))))
	l.cosign("sbom", l.manifest(l.Put("text/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`))))
	return l
}

// signedLayer is a layer with the annotations that cosign verifies.
func (l legacy) signedLayer(mediaType, text string) content.Descriptor {
	d := l.Put(mediaType, []byte(text))
	d.Annotations = map[string]string{"dev.cosignproject.cosign/signature": "MEUC"}
	return d
}

// manifest is one of the form that BuildKit and cosign write: an image of no platform.
func (l legacy) manifest(layers ...content.Descriptor) content.Descriptor {
	config := ocispec.Image{RootFS: ocispec.RootFS{Type: "layers"}}
	for _, layer := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, layer.Digest)
	}
	return l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: l.JSON(ocispec.MediaTypeImageConfig, config), Layers: layers,
	})
}

// cosign gives an attached manifest the tag that cosign gives it.
func (l legacy) cosign(kind string, d content.Descriptor) {
	l.Tag(build.FallbackTag(l.image.Digest)+"."+kind, d)
}

func signedPayload(d content.Digest) string {
	return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":"app"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, d)
}

func lift(t testing.TB, l *layout.Layout, root content.Descriptor, o artifact.LiftOptions) artifact.LiftReport {
	t.Helper()
	report, err := artifact.Lift(t.Context(), l, root, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// referrersOf lists what names d as its subject, as "type predicate".
func referrersOf(t testing.TB, l *layout.Layout, d content.Descriptor) []string {
	t.Helper()
	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: d}})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range found {
		list = append(list, strings.TrimSpace(f.ArtifactType+" "+f.Annotations[artifact.AnnotationPredicate]))
	}
	slices.Sort(list)
	return list
}

// layoutOf writes a layout, which is verified when the test ends, and opens it.
func layoutOf(t testing.TB, l *build.Layout) *layout.Layout {
	t.Helper()
	return open(t, testkit.Layout(t, l))
}

func TestLift(t *testing.T) {
	from := newLegacy()
	l := layoutOf(t, from.Layout)
	before, err := l.ReadFile("index.json", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	report := lift(t, l, from.index, artifact.LiftOptions{})
	want := []string{
		"application/vnd.dev.cosign.artifact.sig.v1+json",
		dsse + " " + spdxPredicate,
		inToto + " https://slsa.dev/provenance/v1",
		inToto + " " + spdxPredicate,
		"text/spdx+json",
	}
	if got := referrersOf(t, l, from.image); !slices.Equal(got, want) {
		t.Errorf("referrers %q, want %q", got, want)
	}
	if len(report.Lifted) != len(want) || len(report.Skipped) != 0 || len(report.Dropped) != 0 {
		t.Errorf("%+v", report)
	}
	for _, made := range report.Lifted {
		if !made.New || made.Subject != from.image.Digest || (made.Origin == "cosign") != (made.Name != "") {
			t.Errorf("%+v", made)
		}
	}
	for _, entry := range from.Entries {
		if !bytes.Contains(before, []byte(entry.Digest)) {
			t.Fatalf("index.json lacks %s from the start", entry.Digest)
		}
		if _, err := l.Lookup(t.Context(), layout.Reference{Name: entry.Annotations[ocispec.AnnotationRefName]}); err != nil {
			t.Errorf("an original is gone: %v", err)
		}
	}
	wantSignatures(t, l, from, report)

	after, err := l.ReadFile("index.json", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, made := range lift(t, l, from.index, artifact.LiftOptions{}).Lifted {
		if made.New {
			t.Errorf("made anew: %+v", made)
		}
	}
	if again, err := l.ReadFile("index.json", 1<<20); err != nil || !bytes.Equal(after, again) {
		t.Errorf("lifting twice changes index.json: %v", err)
	}
}

// wantSignatures holds the lifted signatures to the layers and config they had.
func wantSignatures(t *testing.T, l *layout.Layout, from legacy, report artifact.LiftReport) {
	t.Helper()
	i := slices.IndexFunc(report.Lifted, func(made artifact.Lifted) bool { return made.From == from.sig.Digest })
	if i < 0 {
		t.Fatal("no signatures were lifted")
	}
	old, _, err := content.FetchManifest(t.Context(), l, from.sig, l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	m, data, err := content.FetchManifest(t.Context(), l, report.Lifted[i].Descriptor, l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject.Digest != from.image.Digest || m.Subject.Platform != nil || !content.SameContent(*m.Config, *old.Config) || len(m.Layers) != 2 {
		t.Errorf("%s", data)
	}
	for i, layer := range m.Layers {
		if layer.Digest != old.Layers[i].Digest || layer.Annotations["dev.cosignproject.cosign/signature"] != "MEUC" {
			t.Errorf("layer %d: %+v", i, layer)
		}
	}
}

func TestLiftDropsTags(t *testing.T) {
	from := newLegacy()
	from.Tag(build.FallbackTag(from.index.Digest)+".att", from.manifest(from.signedLayer(dsse, envelopeOf(inToto, statementOf(from.image.Digest)))))
	l := layoutOf(t, from.Layout)
	report := lift(t, l, from.index, artifact.LiftOptions{DropTags: true})
	slices.Sort(report.Dropped)
	base := build.FallbackTag(from.image.Digest)
	if want := []string{base + ".att", base + ".sbom", base + ".sig"}; !slices.Equal(report.Dropped, want) {
		t.Errorf("dropped %q, want %q", report.Dropped, want)
	}
	for _, name := range report.Dropped {
		if _, err := l.Resolve(t.Context(), name); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	// What speaks of another image was not lifted, so its tag stays.
	resolve(t, l, build.FallbackTag(from.index.Digest)+".att")
}

func TestLiftSkips(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(l *legacy)
		reason string
	}{
		{"signature of another image", func(l *legacy) {
			l.cosign("sig", l.manifest(l.signedLayer(simpleSigning, signedPayload(otherDigest))))
		}, "signs " + otherDigest.String()},
		{"signature without a payload", func(l *legacy) { l.cosign("sig", l.manifest(l.signedLayer(simpleSigning, "hello"))) }, "not what cosign signs"},
		{"other layers", func(l *legacy) { l.cosign("sig", l.manifest(l.signedLayer("text/plain", "x"))) }, "is no signature"},
		{"attestation of another image", func(l *legacy) {
			l.cosign("att", l.manifest(l.signedLayer(dsse, envelopeOf(inToto, statementOf(otherDigest)))))
		}, "not about " + imageOf().String()},
		{"attestation of another type", func(l *legacy) {
			l.cosign("att", l.manifest(l.signedLayer(inToto, envelopeOf(inToto, statementOf(l.image.Digest)))))
		}, "is of type " + dsse},
		{"attestation that is none", func(l *legacy) { l.cosign("att", l.manifest(l.signedLayer("text/plain", "x"))) }, "is no attestation"},
		{"attestation that is rubbish", func(l *legacy) { l.cosign("att", l.manifest(l.signedLayer(dsse, "hello"))) }, "not one JSON object"},
		{"sbom of no type", func(l *legacy) { l.cosign("sbom", l.manifest(l.Put("spdx", []byte("x")))) }, "not a media type"},
		{"an index", func(l *legacy) { l.cosign("sig", l.Index()) }, "no signatures"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := legacy{Layout: build.NewLayout()}
			from.image = from.Image(build.Image{})
			from.Tag("v1", from.image)
			test.change(&from)
			l := layoutOf(t, from.Layout)
			report := lift(t, l, from.image, artifact.LiftOptions{DropTags: true})
			if len(report.Lifted) != 0 || len(report.Skipped) != 1 || !strings.Contains(report.Skipped[0].Reason, test.reason) {
				t.Errorf("%+v, want the reason %q", report, test.reason)
			}
			if got := referrersOf(t, l, from.image); len(got) != 0 {
				t.Errorf("referrers %q", got)
			}
		})
	}
}

// imageOf is the digest of the image that the tests above use.
func imageOf() content.Digest { return build.NewLayout().Image(build.Image{}).Digest }

// TestLiftAbsent takes blobs away: what lacks one stays, the rest is lifted.
func TestLiftAbsent(t *testing.T) {
	from := newLegacy()
	dir := testkit.Layout(t, from.Layout, testkit.BrokenOK)
	sbom := build.Descriptor("", []byte(`{"spdxVersion":"SPDX-2.3"}`)).Digest
	att := build.Descriptor("", []byte(envelopeOf(inToto, statementOf(from.image.Digest)))).Digest
	for _, d := range []content.Digest{sbom, att, from.sig.Digest} {
		if err := os.Remove(filepath.Join(dir, build.BlobPath(d))); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, dir)
	report := lift(t, l, from.index, artifact.LiftOptions{})
	if len(report.Lifted) != 2 || len(report.Skipped) != 3 {
		t.Errorf("%+v", report)
	}
	for _, made := range report.Lifted {
		if made.Origin != "buildkit" {
			t.Errorf("%+v", made)
		}
	}
}

// TestLiftForeignAttestation leaves attestations of what is not in the same index.
func TestLiftForeignAttestation(t *testing.T) {
	from := newLegacy()
	attestation := from.manifest(from.signedLayer(inToto, statementOf(from.image.Digest)))
	attestation.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": from.image.Digest.String()}
	alone := from.Index(attestation)
	from.Tag("alone", alone)
	if report := lift(t, layoutOf(t, from.Layout), alone, artifact.LiftOptions{}); len(report.Lifted)+len(report.Skipped) != 0 {
		t.Errorf("%+v", report)
	}
}
