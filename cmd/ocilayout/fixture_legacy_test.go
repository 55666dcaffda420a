package main

import (
	"fmt"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// legacy is an index of one image. A statement about it lies in the index, as
// BuildKit puts it there; a signature of it, and one of something else, have tags of
// cosign.
func legacy() *build.Layout {
	l := build.NewLayout()
	image := l.Image(image("amd64", "app"))
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app","digest":{"sha256":%q}}],"predicateType":"https://spdx.dev/Document","predicate":{}}`, image.Digest.Encoded())
	attestation := imageless(l, l.Put("application/vnd.in-toto+json", []byte(statement)))
	attestation.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	attestation.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.Digest.String()}
	l.Tag("v1", l.Index(image, attestation))
	signature := func(d content.Digest) content.Descriptor {
		return imageless(l, l.Put("application/vnd.dev.cosign.simplesigning.v1+json",
			fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"app"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, d)))
	}
	l.Tag(build.FallbackTag(image.Digest)+".sig", signature(image.Digest))
	l.Tag(build.FallbackTag(image.Digest)+".att", signature(attestation.Digest))
	return l
}

// imageless is a manifest as BuildKit and cosign write it around what is no
// filesystem.
func imageless(l *build.Layout, layer content.Descriptor) content.Descriptor {
	return l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: l.JSON(ocispec.MediaTypeImageConfig, ocispec.Image{RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{layer.Digest}}}),
		Layers: []content.Descriptor{layer},
	})
}

// chart is a Helm chart inside of an artifact.
func chart() *build.Layout {
	l := build.NewLayout()
	packed := build.Compress("gzip", build.Tar(
		build.Text("demo/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.2.3+build.5\ndescription: A demo\n"),
		build.Text("demo/values.yaml", "replicas: 1\n"),
	))
	l.Tag("files", l.Artifact("application/vnd.example.files", nil, packed))
	return l
}
