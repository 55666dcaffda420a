package gen

import (
	"slices"
	"strings"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

const (
	specProposal = "image-spec pull request 1171: image-layout.md, referrers"
	specRetired  = "image-spec v1.1.0-rc2: artifact.md#oci-artifact-manifest-property-descriptions"
	specBuildKit = "BuildKit: docs/attestations/attestation-storage.md"
	specCosign   = "cosign: specs/SIGNATURE_SPEC.md#tag-based-discovery"
	specArchive  = "containerd: annotation io.containerd.manifest.subject"
)

// refers sets what refers to the first entry of v's layout.
func refers(v vector.Vector, referrers ...string) vector.Vector {
	v.Referrers = slices.Sorted(slices.Values(referrers))
	return v
}

// refersTo is refers of another subject than the first entry.
func refersTo(subject content.Descriptor, v vector.Vector, referrers ...string) vector.Vector {
	v.Subject = subject.Digest.String()
	return refers(v, referrers...)
}

// referrerLayouts have an image to which something refers, each in the form of one
// of the tools that write such.
func referrerLayouts() []vector.Vector {
	noticed := func(name, problem, spec, comment string, l *build.Layout) vector.Vector {
		return layoutOf(name, "ok", problem, spec, comment, l)
	}
	ok := func(name, spec, comment string, l *build.Layout) vector.Vector {
		return noticed(name, "", spec, comment, l)
	}
	provenance, attested := provenance()
	artifactForm, subject := attestationArtifact()
	return []vector.Vector{
		refers(ok("referrer", specReferrers, "an artifact with a subject, listed under its fallback tag", attached(func(*build.Layout) {})), "subject application/vnd.example.text"),
		refers(ok("referrer-entry", specManifest, "an artifact with a subject as an entry, as archives have it", referrerEntry()), "subject application/vnd.example.text"),
		refers(ok("referrer-chain", specReferrers, "an artifact attached to an artifact, each with its list", chain()), "subject application/vnd.example.text", "subject application/vnd.example.signature"),
		refers(ok("notation", specManifest, "a signature as notation makes it: an entry whose type is its config's", notation()), "subject application/vnd.cncf.notary.signature"),
		refers(ok("olareg", specProposal, "an entry that leads to a list of referrers, as olareg wrote it", listEntry("org.olareg.referrer.subject", "org.olareg.referrer.convert")), "subject application/vnd.example.text"),
		refers(ok("referrer-list", specProposal, "an entry that leads to a list of referrers, as proposed", listEntry("org.opencontainers.image.referrer.subject", "org.opencontainers.image.referrer.convert")), "subject application/vnd.example.text"),
		refers(ok("retired-oci", specRetired, "an artifact manifest of OCI's release candidates", retired("application/vnd.oci.artifact.manifest.v1+json")), "retired application/vnd.example.text"),
		refers(ok("retired-oras", "ORAS artifact-spec: artifact-manifest.md", "an artifact manifest of ORAS", retired("application/vnd.cncf.oras.artifact.manifest.v1+json")), "retired application/vnd.example.text"),
		refersTo(attested, ok("buildkit-provenance", specBuildKit, "provenance and an SBOM as BuildKit puts them beside an image", provenance), "buildkit https://slsa.dev/provenance/v1"),
		refersTo(subject, ok("buildkit-artifact", specBuildKit, "BuildKit's attestation as an artifact with the image as its subject", artifactForm), "subject application/vnd.docker.attestation.manifest.v1+json"),
		refers(ok("containerd-export", specArchive, "containerd 2's export: referrers as entries at the end, in the order of their digests", containerdExport()), "subject application/vnd.example.text", "subject application/vnd.example.signature"),
		refers(ok("docker-save", specArchive, "docker save with the containerd image store: an index, referrers of it and of a platform, and manifest.json", dockerSave()), "subject application/vnd.example.text"),
		refers(ok("cosign-tags", specCosign, "a signature, an attestation and an SBOM under cosign's tags", cosignTags()),
			"cosign application/vnd.dev.cosign.simplesigning.v1+json", "cosign https://spdx.dev/Document", "cosign text/spdx"),
		refers(noticed("unbound", "unbound", specReferrers, "an entry claims a subject that its manifest does not", unbound()), "unbound application/vnd.example.text"),
		refers(noticed("unbound-cycle", "unbound", specArchive, "two entries that claim each other as subject", cycle()), "unbound application/vnd.example.text"),
		refers(noticed("fallback-unlisted", "fallback-tag", specReferrers, "a fallback tag leaves a referrer out", attached(func(l *build.Layout) {
			l.Add(l.Artifact("application/vnd.example.other", &l.Entries[0], []byte("other")))
		})), "subject application/vnd.example.other", "subject application/vnd.example.text"),
		refers(noticed("fallback-absent", "sparse, unreferenced", specReferrers, "a fallback tag lists an artifact that is not there", attached(func(l *build.Layout) {
			delete(l.Blobs, listedBy(l).Digest)
		}))),
		refers(noticed("fallback-duplicates", "", specReferrers, "a fallback tag lists one artifact 10,000 times", attached(func(l *build.Layout) {
			text := listedBy(l)
			delete(l.Blobs, l.Entries[1].Digest)
			list := l.Index(slices.Repeat([]content.Descriptor{text}, 10000)...)
			l.Entries[1].Digest, l.Entries[1].Size = list.Digest, list.Size
		})), "subject application/vnd.example.text"),
		refers(noticed("fallback-type", "fallback-tag", specReferrers, "a fallback tag lists a referrer with another artifactType", fallbackType()), "subject application/vnd.example.text"),
	}
}

// plain is what a manifest says of its subject.
func plain(d content.Descriptor) *content.Descriptor {
	return &content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// claims adds the annotation by which containerd's archives say what d refers to.
func claims(subject content.Descriptor, d content.Descriptor) content.Descriptor {
	d.Annotations = map[string]string{content.AnnotationSubject: subject.Digest.String()}
	return d
}

// signed is an artifact manifest's worth of layers under a config of some type.
func signed(l *build.Layout, configType string, subject *content.Descriptor, annotations map[string]string, layers ...content.Descriptor) content.Descriptor {
	return l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: l.Put(configType, []byte("{}")), Layers: layers, Subject: subject, Annotations: annotations,
	})
}

// listedBy is what the list that is the second entry lists.
func listedBy(l *build.Layout) content.Descriptor {
	m, err := content.ParseManifest(l.Entries[1].MediaType, l.Blobs[l.Entries[1].Digest])
	if err != nil {
		panic(err)
	}
	return m.Manifests[0]
}

func chain() *build.Layout {
	return hello(func(l *build.Layout) {
		l.Attach(l.Attach(l.Entries[0], "application/vnd.example.text", []byte("text")), "application/vnd.example.signature", []byte("of the text"))
	})
}

func notation() *build.Layout {
	const signature = "application/vnd.cncf.notary.signature"
	return hello(func(l *build.Layout) {
		envelope := l.Put("application/jose+json", []byte(`{"payload":"","protected":"","header":{},"signature":""}`))
		said := map[string]string{
			"io.cncf.notary.x509chain.thumbprint#S256": `["` + strings.Repeat("ab", 32) + `"]`,
			ocispec.AnnotationCreated:                  "2023-11-14T22:13:20Z",
		}
		m := signed(l, signature, plain(l.Entries[0]), said, envelope)
		m.ArtifactType, m.Annotations = signature, said
		l.Add(m)
	})
}

// listEntry has an entry that says by an annotation to lead to a list of referrers,
// and that the layout is of that form.
func listEntry(subject, converted string) *build.Layout {
	return hello(func(l *build.Layout) {
		list := l.Index(l.Artifact("application/vnd.example.text", &l.Entries[0], []byte("text")))
		list.Annotations = map[string]string{subject: l.Entries[0].Digest.String()}
		l.Add(list)
		l.IndexJSON = []byte(replace(string(l.IndexFile()), `"manifests":[`, `"annotations":{"`+converted+`":"true"},"manifests":[`))
	})
}

func retired(mediaType string) *build.Layout {
	return hello(func(l *build.Layout) {
		l.Add(l.JSON(mediaType, map[string]any{
			"mediaType": mediaType, "artifactType": "application/vnd.example.text", "subject": plain(l.Entries[0]),
			"blobs": []any{l.Put("application/octet-stream", []byte("text"))},
		}))
	})
}

// statements are an SBOM and a provenance as layers of an attestation.
func statements(l *build.Layout) []content.Descriptor {
	var layers []content.Descriptor
	for _, predicate := range []string{"https://slsa.dev/provenance/v1", "https://spdx.dev/Document"} {
		layer := l.Put("application/vnd.in-toto+json", []byte(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"`+predicate+`","subject":[]}`))
		layer.Annotations = map[string]string{"in-toto.io/predicate-type": predicate}
		layers = append(layers, layer)
	}
	return layers
}

// besides makes d the attestation of an image in an index of both.
func besides(l *build.Layout, image, d content.Descriptor) {
	d.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	d.Annotations = map[string]string{
		content.AnnotationReferenceType: "attestation-manifest", content.AnnotationReferenceDigest: image.Digest.String(),
	}
	l.Tag("docker.io/library/app:latest", l.Index(image, d))
}

func provenance() (*build.Layout, content.Descriptor) {
	l := build.NewLayout()
	image, layers := l.Image(build.Image{}), statements(l)
	config := ocispec.Image{Platform: content.Platform{OS: "unknown", Architecture: "unknown"}, RootFS: ocispec.RootFS{Type: "layers"}}
	for _, layer := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, layer.Digest)
	}
	besides(l, image, l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: l.JSON(ocispec.MediaTypeImageConfig, config), Layers: layers,
	}))
	return l, image
}

func attestationArtifact() (*build.Layout, content.Descriptor) {
	const attestation = "application/vnd.docker.attestation.manifest.v1+json"
	l := build.NewLayout()
	image := l.Image(build.Image{})
	besides(l, image, l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: attestation,
		Config: l.Put(ocispec.MediaTypeEmptyJSON, []byte("{}")), Layers: statements(l), Subject: plain(image),
	}))
	return l, image
}

// atTheEnd adds entries as containerd does: in the order of their digests.
func atTheEnd(l *build.Layout, referrers ...content.Descriptor) {
	slices.SortFunc(referrers, func(a, b content.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	l.Add(referrers...)
}

func containerdExport() *build.Layout {
	l := build.NewLayout()
	l.Tag("docker.io/library/app:latest", l.Image(build.Image{}))
	image := l.Entries[0]
	text := l.Artifact("application/vnd.example.text", &image, []byte("text"))
	signature := l.Artifact("application/vnd.example.signature", &text, []byte("of the text"))
	atTheEnd(l, claims(image, text), claims(text, signature))
	return l
}

func dockerSave() *build.Layout {
	l := build.NewLayout()
	amd := l.Image(build.Image{})
	l.Tag("docker.io/library/app:latest", l.Index(amd, l.Image(build.Image{Platform: arm64})))
	image := l.Entries[0]
	text := l.Artifact("application/vnd.example.text", &image, []byte("text"))
	report := l.Artifact("application/vnd.example.report", &amd, []byte("of amd64"))
	atTheEnd(l, claims(image, text), claims(amd, report))
	l.Extra = append(l.Extra, dockerList(l, amd, "app:latest"))
	return l
}

// dockerList is a manifest.json of one image of l.
func dockerList(l *build.Layout, image content.Descriptor, tag string) build.File {
	m, err := content.ParseManifest(image.MediaType, l.Blobs[image.Digest])
	if err != nil {
		panic(err)
	}
	list := map[string]any{"Config": build.BlobPath(m.Config.Digest), "RepoTags": []string{tag}, "Layers": []string{build.BlobPath(m.Layers[0].Digest)}}
	return build.File{Name: "manifest.json", Body: build.JSON([]any{list})}
}

func cosignTags() *build.Layout {
	return hello(func(l *build.Layout) {
		image := l.Entries[0]
		payload := l.Put("application/vnd.dev.cosign.simplesigning.v1+json",
			[]byte(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"`+image.Digest.String()+`"},"type":"cosign container image signature"},"optional":null}`))
		payload.Annotations = map[string]string{"dev.cosignproject.cosign/signature": "AAAA"}
		envelope := l.Put("application/vnd.dsse.envelope.v1+json", []byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}`))
		envelope.Annotations = map[string]string{"predicateType": "https://spdx.dev/Document"}
		for _, made := range []struct {
			kind  string
			layer content.Descriptor
		}{{"sig", payload}, {"att", envelope}, {"sbom", l.Put("text/spdx", []byte("SPDXVersion: SPDX-2.3\n"))}} {
			l.Tag(build.FallbackTag(image.Digest)+"."+made.kind, l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
				Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
				Config: l.JSON(ocispec.MediaTypeImageConfig, ocispec.Image{RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{made.layer.Digest}}}),
				Layers: []content.Descriptor{made.layer},
			}))
		}
	})
}

// cycle has two artifacts of no subject; by their entries each belongs to the other.
func cycle() *build.Layout {
	l := build.NewLayout()
	one := l.Artifact("application/vnd.example.signature", nil, []byte("one"))
	two := l.Artifact("application/vnd.example.text", nil, []byte("two"))
	l.Add(claims(two, one), claims(one, two))
	return l
}
