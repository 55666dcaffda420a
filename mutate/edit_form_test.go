package mutate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// typesOf lists the media types of a manifest, its config and its layers, and for an
// index of itself and of all that is in it.
func typesOf(t *testing.T, l *layout.Layout, d content.Descriptor) []string {
	t.Helper()
	m := manifestOf(t, l, d)
	if m.MediaType != d.MediaType {
		t.Errorf("manifest is %q, its descriptor %q", m.MediaType, d.MediaType)
	}
	list := []string{d.MediaType}
	if m.Config != nil {
		list = append(list, m.Config.MediaType)
	}
	for _, layer := range m.Layers {
		list = append(list, layer.MediaType)
	}
	for _, child := range m.Manifests {
		list = append(list, typesOf(t, l, child)...)
	}
	return list
}

const nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar"

var (
	ociTypes = []string{ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig,
		ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, nondistributable + "+gzip"}
	dockerTypes = []string{content.DockerManifestList, content.DockerManifest, content.DockerConfig,
		content.DockerLayer, content.DockerLayerGzip, content.DockerForeignLayer}
)

// formImage is a layout with an index of one image, with all these media types.
func formImage(types []string) *build.Layout {
	l := build.NewLayout()
	one := func(compression, mediaType string) build.Layer {
		return build.Layer{Files: []build.File{build.Text(mediaType, "x")}, Compression: compression, MediaType: mediaType}
	}
	image := l.Image(build.Image{Docker: types[1] == content.DockerManifest, Layers: []build.Layer{one("none", types[3]), one("gzip", types[4]), one("gzip", types[5])}})
	index := build.IndexOf(image)
	index.MediaType = types[0]
	l.Tag("v1", l.JSON(types[0], index))
	return l
}

// TestForms converts there and back: the same bytes come back.
func TestForms(t *testing.T) {
	for _, test := range []struct {
		name, edit string
		from, to   []string
	}{
		{"to docker", "to-docker", ociTypes, dockerTypes},
		{"to oci", "to-oci", dockerTypes, ociTypes},
		{"docker to docker", "to-docker", dockerTypes, dockerTypes},
		{"oci to oci", "to-oci", ociTypes, ociTypes},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, r := edited(t, formImage(test.from), flags(t, test.edit)...)
			if got := typesOf(t, l, r.Entry.Descriptor); !slices.Equal(got, test.to) {
				t.Errorf("media types %q, want %q", got, test.to)
			}
			if (r.New == r.Old) != slices.Equal(test.from, test.to) {
				t.Errorf("changed: %v", r.Changed)
			}
			if r.LayersRead != 0 {
				t.Errorf("%d layers were read", r.LayersRead)
			}
		})
	}
	_, there := edited(t, formImage(ociTypes), flags(t, "to-docker")...)
	_, back := edited(t, formImage(ociTypes), flags(t, "to-docker", "to-oci")...)
	if back.New != back.Old || there.New == there.Old {
		t.Errorf("there %v, and back %v", there.New, back.New)
	}
}

// TestDockerZstd takes for OCI's what other tools write as docker's.
func TestDockerZstd(t *testing.T) {
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{Docker: true, Layers: []build.Layer{{Compression: "zstd", MediaType: content.DockerLayerZstd}}}))
	dst, r := edited(t, l, flags(t, "to-oci")...)
	if got := typesOf(t, dst, r.Entry.Descriptor); got[2] != ocispec.MediaTypeImageLayerZstd {
		t.Errorf("media types %q", got)
	}
}

// TestToDockerRefuses names what docker has no form for.
func TestToDockerRefuses(t *testing.T) {
	layer := func(compression, mediaType string) func(*build.Layout) content.Descriptor {
		return func(l *build.Layout) content.Descriptor {
			return l.Image(build.Image{Layers: []build.Layer{{Compression: compression, MediaType: mediaType}}})
		}
	}
	for _, test := range []struct {
		name, says string
		image      func(l *build.Layout) content.Descriptor
	}{
		{"zstd", ocispec.MediaTypeImageLayerZstd, layer("zstd", "")},
		{"foreign and plain", nondistributable, layer("none", nondistributable)},
		{"encrypted", "+encrypted", layer("none", "application/vnd.oci.image.layer.v1.tar+encrypted")},
		{"subject", "has subject", func(l *build.Layout) content.Descriptor {
			subject := l.Image(build.Image{})
			return l.Image(build.Image{Subject: &content.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}, Annotations: map[string]string{"a": "b"}})
		}},
		{"artifactType", "has artifactType", func(l *build.Layout) content.Descriptor {
			return l.Artifact("text/report", nil, []byte("x"))
		}},
		{"config", "config of type text/config", func(l *build.Layout) content.Descriptor {
			return l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: l.Put("text/config", []byte("x")), Layers: []content.Descriptor{}})
		}},
		{"attestation", "is an attestation", func(l *build.Layout) content.Descriptor { return attested(l) }},
		{"absent child", "is not in the layout", func(l *build.Layout) content.Descriptor {
			d := l.Image(build.Image{})
			delete(l.Blobs, d.Digest)
			return l.Index(d)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := build.NewLayout()
			l.Tag("v1", test.image(l))
			_, err := tryApply(t, openedBroken(t, l), flags(t, "to-docker")...)
			if !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want ErrUnsupported with %q", err, test.says)
			}
		})
	}
}

// attested adds an index of an image and what BuildKit attests of it.
func attested(l *build.Layout) content.Descriptor {
	image := l.Image(build.Image{})
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","subject":[{"name":"_","digest":{"sha256":%q}}]}`, image.Digest.Encoded())
	layer := l.Put("application/vnd.in-toto+json", []byte(statement))
	config := l.JSON(ocispec.MediaTypeImageConfig, ocispec.Image{Platform: content.Platform{OS: "unknown", Architecture: "unknown"}, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{layer.Digest}}})
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []content.Descriptor{layer}}
	m.SchemaVersion = 2
	d := l.JSON(ocispec.MediaTypeImageManifest, m)
	d.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	d.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.Digest.String()}
	return l.Index(image, d)
}

// TestToReferrers makes a referrer of an attestation, alone and beside other edits.
func TestToReferrers(t *testing.T) {
	for _, more := range [][]string{nil, {"to-docker"}, {"env A=1"}} {
		l := build.NewLayout()
		l.Tag("v1", attested(l))
		dst := opened(t, l)
		root, err := dst.Lookup(t.Context(), layout.Reference{Name: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		image := manifestOf(t, dst, root.Descriptor).Manifests[0]
		env := testEnv
		env.Layout = dst.Reader
		e, err := tryFlag("to-oci-referrers", env)
		if err != nil {
			t.Fatal(err)
		}
		r, err := tryApply(t, dst, append([]mutate.Edit{e}, flags(t, more...)...)...)
		if err != nil {
			t.Fatal(err)
		}
		if m := manifestOf(t, dst, r.Entry.Descriptor); len(m.Manifests) != 1 || content.SameContent(m.Manifests[0], image) != (more == nil) {
			t.Errorf("index lists %+v", m.Manifests)
		}
		found, err := artifact.Find(t.Context(), dst.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: image}})
		if err != nil || len(found) != 1 || found[0].ArtifactType != "application/vnd.in-toto+json" || found[0].Origin != layout.OriginSubject {
			t.Errorf("referrers: %+v, %v", found, err)
		}
	}
}

// TestAttestationStays warns of an attestation whose image has changed.
func TestAttestationStays(t *testing.T) {
	l := build.NewLayout()
	l.Tag("v1", attested(l))
	dst, r := edited(t, l, flags(t, "env A=1")...)
	m := manifestOf(t, dst, r.Entry.Descriptor)
	if len(m.Manifests) != 2 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "attestation "+m.Manifests[1].Digest.String()+" speaks of ") {
		t.Errorf("%+v, warnings %q", m.Manifests, r.Warnings)
	}
	if _, r := edited(t, l, flags(t, "annotation-promote")...); len(r.Warnings) != 0 {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// TestToReferrersKeeps leaves what is no attestation where it is.
func TestToReferrersKeeps(t *testing.T) {
	l := build.NewLayout()
	index := build.IndexOf(l.Image(build.Image{}))
	other := l.Image(build.Image{})
	other.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	other.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": index.Manifests[0].Digest.String()}
	index.Manifests = append(index.Manifests, other)
	l.Tag("v1", l.JSON(ocispec.MediaTypeImageIndex, index))
	dst := opened(t, l)
	env := testEnv
	env.Layout = dst.Reader
	e, err := tryFlag("to-oci-referrers", env)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tryApply(t, dst, e)
	if err != nil || r.New != r.Old || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "stays as it is") {
		t.Errorf("%+v, %v", r.Report, err)
	}
}

func TestDataMaxFlag(t *testing.T) {
	l, r := edited(t, rawImage(anyConfig, ""), flags(t, "data-max 1000")...)
	m := manifestOf(t, l, r.Entry.Descriptor)
	if string(m.Config.Data) != string(blob(t, l, *m.Config)) || m.Layers[0].Data != nil {
		t.Errorf("config %q, layer %q", m.Config.Data, m.Layers[0].Data)
	}
	l, r = edited(t, rawImage(anyConfig, ""), flags(t, "data-max 1000", "label a=2", "data-max 0")...)
	if m := manifestOf(t, l, r.Entry.Descriptor); m.Config.Data != nil {
		t.Errorf("config has data %q", m.Config.Data)
	}
	index, _ := twoPlatforms()
	l, r = edited(t, index, flags(t, "data-max 5000")...)
	for _, child := range manifestOf(t, l, r.Entry.Descriptor).Manifests {
		if string(child.Data) != string(blob(t, l, child)) {
			t.Errorf("child has data %q", child.Data)
		}
	}
}

func TestExternalURLs(t *testing.T) {
	withURLs := func(absent bool, types ...string) *build.Layout {
		l := build.NewLayout()
		var layers []build.Layer
		for _, mediaType := range types {
			layers = append(layers, build.Layer{Files: []build.File{build.Text(mediaType, "x")}, MediaType: mediaType, Compression: content.LayerCompression(mediaType)})
		}
		d := l.Image(build.Image{Layers: layers, EditManifest: func(m *ocispec.Manifest) {
			for i := range m.Layers {
				m.Layers[i].URLs = []string{"https://layers.example/1"}
				if absent {
					delete(l.Blobs, m.Layers[i].Digest)
				}
			}
		}})
		l.Tag("v1", d)
		return l
	}
	from := []string{nondistributable, nondistributable + "+gzip", nondistributable + "+zstd", content.DockerForeignLayer, ocispec.MediaTypeImageLayerGzip}
	want := []string{ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd, content.DockerLayerGzip, ocispec.MediaTypeImageLayerGzip}
	l, r := edited(t, withURLs(false, from...), flags(t, "external-urls-rm")...)
	for i, layer := range manifestOf(t, l, r.Entry.Descriptor).Layers {
		if layer.MediaType != want[i] || layer.URLs != nil {
			t.Errorf("layer %d is %+v, want %s", i+1, layer, want[i])
		}
	}
	if _, err := tryApply(t, openedBroken(t, withURLs(true, nondistributable)), flags(t, "external-urls-rm")...); !errors.Is(err, content.ErrMissing) {
		t.Errorf("an absent layer: %v, want ErrMissing", err)
	}
}
