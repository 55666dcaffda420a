package gen

import (
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// noticedLayouts have what is a note or a warning: verify tells it and exits with 0.
func noticedLayouts() []vector.Vector {
	noticed := func(name, problem, spec, comment string, l *build.Layout) vector.Vector {
		return layoutOf(name, "ok", problem, spec, comment, l)
	}
	return []vector.Vector{
		noticed("sparse", "sparse", specIndex, "a child of an index is not there", sparse()),
		noticed("foreign-layer", "sparse", specLayer, "a foreign layer is not there", hello(foreign)),
		noticed("unreferenced", "unreferenced", specBlobs, "a blob that nothing refers to", hello(func(l *build.Layout) { l.Put("", []byte("garbage")) })),
		noticed("encrypted-layer", "opaque", specLayer, "an encrypted layer is hashed and not looked into",
			hello(swapManifest("tar+gzip", "tar+gzip+encrypted"))),
		imports("unsupported", noticed("unverifiable", "unverifiable", specDigest, "a blob under a digest that can't be computed", unverifiable())),
		noticed("subject-absent", "referrer-dangling", specReferrers, "the subject of a referrer is not there", subjectAbsent()),
		noticed("stray-file", "stray-file", specBlobs, "a file below blobs that no digest names", hello(func(l *build.Layout) {
			l.Extra = append(l.Extra, build.Text("blobs/sha256/README", "not a blob"))
		})),
		noticed("no-marker", "oci-layout-missing", specMarker, "no file oci-layout, as BuildKit wrote before 2023",
			hello(func(l *build.Layout) { l.OCILayout = []byte{} })),
		noticed("history-length", "history-length", specConfig, "a history of two layers of an image of one",
			image(build.Image{EditConfig: func(c *ocispec.Image) { c.History = append(c.History, c.History[0]) }})),
		noticed("fallback-foreign", "fallback-tag", specReferrers, "a fallback tag lists a manifest of another subject", fallbackForeign()),
		noticed("fallback-manifest", "fallback-tag", specReferrers, "an image under a fallback tag", hello(func(l *build.Layout) {
			l.Tag(build.FallbackTag(l.Entries[0].Digest), l.Entries[0])
		})),
		noticed("fallback-dangling", "referrer-dangling", specReferrers, "a fallback tag of what is not there",
			hello(func(l *build.Layout) {
				l.Tag("sha256-"+strings.Repeat("0", 64), l.Index())
			})),
		noticed("name-grammar", "name-invalid", specRefName, "a ref.name outside of its grammar", hello(func(l *build.Layout) {
			l.Entries[0].Annotations[content.AnnotationRefName] = "v1!"
		})),
		noticed("same-tag", "name-ambiguous", specRefName, "two images with the same ref.name and different full names, as docker save writes", sameTag()),
		noticed("layer-dotdot", "layer-name", specLayer, "a member of a layer with .. in its name",
			image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("a/../../b", "b")}}}})),
		noticed("layer-hardlink-out", "layer-name", specLayer, "a hard link to a file outside of the layer",
			image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Hardlink("a", "../../etc/passwd")}}}})),
		noticed("layer-trailing", "layer-format", specLayer, "bytes after the end of a layer's tar",
			image(build.Image{Layers: []build.Layer{{Tar: append(build.Tar(build.Text("a", "a")), "trailing"...)}}})),
	}
}

func sparse() *build.Layout {
	l := multiPlatform()
	for d, data := range l.Blobs {
		if strings.Contains(string(data), "arm64") && d != l.Entries[0].Digest {
			delete(l.Blobs, d) // the config
		}
	}
	m := manifest(l)
	delete(l.Blobs, m.Manifests[1].Digest)
	return l
}

func unverifiable() *build.Layout {
	return hello(func(l *build.Layout) {
		data := []byte("hashed by what nobody here can compute")
		d := content.Descriptor{MediaType: "application/octet-stream", Digest: "blake3:" + content.Digest(strings.Repeat("0a", 32)), Size: int64(len(data))}
		l.Extra = append(l.Extra, build.Dir("blobs/blake3"), build.File{Name: build.BlobPath(d.Digest), Body: data})
		l.Add(d)
	})
}

func subjectAbsent() *build.Layout {
	l := build.NewLayout()
	subject := build.Blobs{}.Image(build.Image{})
	l.Tag("v1", l.Artifact("application/vnd.example.text", &subject, []byte("text")))
	return l
}

func unbound() *build.Layout {
	return hello(func(l *build.Layout) {
		a := l.Artifact("application/vnd.example.text", nil, []byte("text"))
		a.Annotations = map[string]string{content.AnnotationSubject: l.Entries[0].Digest.String()}
		l.Add(a)
	})
}

func fallbackForeign() *build.Layout {
	return hello(func(l *build.Layout) {
		other := l.Image(build.Image{Platform: arm64})
		l.Tag("v2", other)
		a := l.Artifact("application/vnd.example.text", &other, []byte("text"))
		l.Tag(build.FallbackTag(l.Entries[0].Digest), l.Index(a))
	})
}

func fallbackType() *build.Layout {
	return hello(func(l *build.Layout) {
		a := l.Artifact("application/vnd.example.text", &l.Entries[0], []byte("text"))
		a.ArtifactType = ocispec.MediaTypeImageConfig
		l.Tag(build.FallbackTag(l.Entries[0].Digest), l.Index(a))
	})
}

func sameTag() *build.Layout {
	l := build.NewLayout()
	l.Tag("docker.io/library/app:latest", l.Image(build.Image{}))
	l.Tag("docker.io/library/db:latest", l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("db", "db")}}}}))
	return l
}
