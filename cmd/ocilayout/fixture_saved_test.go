package main

import (
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

func init() { fixtures["saved"] = cosignSaved }

// cosignSaved is a directory as cosign save 3 writes it: the image, its signatures and
// attestations by their kinds and without names, each with the type of its config as
// artifactType, and a bundle that no entry leads to.
func cosignSaved() *build.Layout {
	l := build.NewLayout()
	kind := func(d content.Descriptor, kind string) content.Descriptor {
		d.Platform = nil
		d.ArtifactType = ocispec.MediaTypeImageConfig
		d.Annotations = map[string]string{"kind": "dev.cosignproject.cosign/" + kind}
		return d
	}
	app := kind(l.Image(image("amd64", "app")), "image")
	l.Add(app)
	l.Add(kind(l.Image(image("amd64", "signatures")), "sigs"))
	l.Add(kind(l.Image(image("amd64", "attestations")), "atts"))
	l.Add(kind(l.Image(image("amd64", "SBOMs")), "sboms"))
	subject := content.Descriptor{MediaType: app.MediaType, Digest: app.Digest, Size: app.Size}
	bundle := l.Artifact("application/vnd.dev.sigstore.bundle.v0.3+json", &subject, []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`))
	l.Artifact("text/note", &bundle, []byte("on the bundle"))
	other := l.Image(image("amd64", "another"))
	l.Artifact("text/note", &other, []byte("on what is not saved"))
	return l
}
