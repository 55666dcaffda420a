package gen

import (
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

var arm64 = content.Platform{OS: "linux", Architecture: "arm64"}

// soundLayouts have nothing to report at all.
func soundLayouts() []vector.Vector {
	ok := func(name, spec, comment string, l *build.Layout) vector.Vector {
		return layoutOf(name, "ok", "", spec, comment, l)
	}
	return []vector.Vector{
		ok("hello", specLayout, "one linux/amd64 image of one gzip layer, named v1", build.Hello()),
		ok("empty", specIndexJSON, "no entries and no blobs", build.NewLayout()),
		ok("two-names", specIndexJSON, "one digest under two names", hello(func(l *build.Layout) { l.Tag("v2", l.Image(build.Image{})) })),
		ok("no-name", specIndexJSON, "an entry without annotations", unnamed()),
		ok("full-name", specRefName, "a full name in io.containerd.image.name, its tag in ref.name", fullName()),
		ok("multi-platform", specIndex, "an index of two images that share a layer", multiPlatform()),
		ok("nested-index", specIndex, "an index in an index", nested(2)),
		ok("layers-zstd-plain", specLayer, "a zstd layer on a plain one", image(build.Image{Layers: []build.Layer{
			{Files: []build.File{build.Text("a", "a")}, Compression: "none"}, {Files: []build.File{build.Text("b", "b")}, Compression: "zstd"}}})),
		ok("docker-types", specLayer, "docker's media types", image(build.Image{Docker: true})),
		ok("empty-tar-layer", specLayer, "a layer that is a tar of no members", image(build.Image{Layers: []build.Layer{{}}})),
		ok("layer-twice", specManifest, "one layer twice in an image", image(build.Image{Layers: []build.Layer{
			{Files: []build.File{build.Text("a", "a")}}, {Files: []build.File{build.Text("a", "a")}}}})),
		ok("no-history", specConfig, "a config without history", image(build.Image{EditConfig: func(c *ocispec.Image) { c.History = nil }})),
		ok("scratch", specManifest, "an image of no layers", scratch()),
		ok("artifact", specArtifact, "an artifact with the empty config", artifact()),
		ok("artifact-untyped", specArtifact, "an artifact's text under the type of a plain layer, as oras has it without a type", untyped()),
		ok("buildkit-attestation", specIndex, "BuildKit's attestation beside an image: no platform, and a layer that is JSON", attestation()),
		ok("opaque-config", specManifest, "an unknown type of config is not parsed", opaqueConfig()),
		ok("unknown-root", specIndexJSON, "an entry of an unknown type is not parsed", unknownRoot()),
		ok("sha512", specDigest, "a manifest named by its sha512", sha512()),
		ok("other-files", specLayout, "files of other tools beside the blobs", hello(func(l *build.Layout) {
			l.Extra = append(l.Extra, build.Dir("ingest"), build.Text("ingest/oras", "x"), build.Text("index.json.lock", ""))
		})),
		imports("refused", ok("linked-blob", specBlobs, "a blob that is a symbolic link to a file of the layout", linked())),
		ok("unknown-fields", specIndexJSON, "fields and annotations that nobody knows", unknownFields()),
		ok("embedded-data", specDescriptor, "the config embedded as data", embedded(func(d []byte) []byte { return d })),
		ok("arm-variant", specIndex, "a child for arm/v7 whose config leaves the variant out", armVariant()),
	}
}

func unnamed() *build.Layout {
	l := build.NewLayout()
	l.Add(l.Image(build.Image{}))
	return l
}

func fullName() *build.Layout {
	l := build.NewLayout()
	l.Tag("docker.io/library/app:latest", l.Image(build.Image{}))
	return l
}

func multiPlatform() *build.Layout {
	l := build.NewLayout()
	l.Tag("v1", l.Index(l.Image(build.Image{}), l.Image(build.Image{Platform: arm64})))
	return l
}

// nested has an image below depth indexes.
func nested(depth int) *build.Layout {
	l := build.NewLayout()
	d := l.Image(build.Image{})
	for range depth {
		d = l.Index(d)
	}
	l.Tag("v1", d)
	return l
}

func scratch() *build.Layout { return image(build.Image{Layers: []build.Layer{}}) }

func artifact() *build.Layout {
	l := build.NewLayout()
	l.Tag("v1", l.Artifact("application/vnd.example.text", nil, []byte("text")))
	return l
}

func untyped() *build.Layout {
	l := build.NewLayout()
	a := l.Artifact("application/vnd.example.text", nil, []byte("no tar"))
	text := replace(string(l.Blobs[a.Digest]), `"application/octet-stream"`, `"`+ocispec.MediaTypeImageLayer+`"`)
	delete(l.Blobs, a.Digest)
	l.Tag("v1", l.Put(a.MediaType, []byte(text)))
	return l
}

// attached is hello with a referrer, changed by edit.
func attached(edit func(l *build.Layout)) *build.Layout {
	return hello(func(l *build.Layout) {
		l.Attach(l.Entries[0], "application/vnd.example.text", []byte("text"))
		edit(l)
	})
}

func referrerEntry() *build.Layout {
	return hello(func(l *build.Layout) {
		a := l.Artifact("application/vnd.example.text", &l.Entries[0], []byte("text"))
		a.Annotations = map[string]string{content.AnnotationSubject: l.Entries[0].Digest.String()}
		l.Add(a)
	})
}

func attestation() *build.Layout {
	const inToto = "application/vnd.in-toto+json"
	l := build.NewLayout()
	img := l.Image(build.Image{})
	statement := l.Put(inToto, []byte(`{"_type":"https://in-toto.io/Statement/v0.1"}`))
	config := l.JSON(ocispec.MediaTypeImageConfig, ocispec.Image{
		Platform: content.Platform{OS: "unknown", Architecture: "unknown"},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{statement.Digest}},
	})
	m := l.JSON(ocispec.MediaTypeImageManifest, map[string]any{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": config, "layers": []any{statement},
	})
	m.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	m.Annotations = map[string]string{
		content.AnnotationReferenceType: "attestation-manifest", "vnd.docker.reference.digest": img.Digest.String(),
	}
	l.Tag("v1", l.Index(img, m))
	return l
}

func opaqueConfig() *build.Layout {
	l := build.NewLayout()
	config := l.Put("application/vnd.example.config", []byte("this is not JSON {"))
	l.Tag("v1", l.JSON(ocispec.MediaTypeImageManifest, map[string]any{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": config,
		"layers": []any{l.Put("application/vnd.example.layer", []byte("opaque"))},
	}))
	return l
}

func unknownRoot() *build.Layout {
	return hello(func(l *build.Layout) { l.Add(l.Put("application/xml", []byte("<component/>"))) })
}

func sha512() *build.Layout {
	return hello(func(l *build.Layout) {
		e := &l.Entries[0]
		data := l.Blobs[e.Digest]
		delete(l.Blobs, e.Digest)
		e.Digest = build.SHA512(data)
		l.Blobs[e.Digest] = data
	})
}

// linked has its manifest outside of blobs/ with a link to it.
func linked() *build.Layout {
	return hello(func(l *build.Layout) {
		d := l.Entries[0].Digest
		l.Extra = append(l.Extra, build.File{Name: "store/manifest", Body: l.Blobs[d]},
			build.Symlink(build.BlobPath(d), "../../store/manifest"))
		delete(l.Blobs, d)
	})
}

func unknownFields() *build.Layout {
	return hello(func(l *build.Layout) {
		editConfig(l, func(text string) string {
			return replace(text, `"config":{`, `"container_config":{"Hostname":"x"},"moby.buildkit.x":[1.50,1e400],"config":{"OnBuild":["RUN x"],"Healthcheck":{"Test":["NONE"]},`)
		})
		swapManifest(`"layers":[{`, `"x.unknown":{"a":[true,null]},"layers":[{"x.unknown":1,`)(l)
		text := replace(string(l.IndexFile()), `"manifests":[{`, `"x.unknown":{"z":1,"a":2},"manifests":[{"x.unknown":"<&>",`)
		l.IndexJSON = []byte(replace(text, `"annotations":{`, `"annotations":{"com.example.Case":"1","com.example.case":"2",`))
	})
}

// embedded has its config's bytes, changed by edit, in the manifest.
func embedded(edit func([]byte) []byte) *build.Layout {
	return image(build.Image{EditManifest: func(m *ocispec.Manifest) {
		m.Config.Data = edit(build.Image{}.Config())
	}})
}

func armVariant() *build.Layout {
	l := build.NewLayout()
	d := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm"}})
	d.Platform.Variant = "v7"
	l.Tag("v1", l.Index(d))
	return l
}

// foreign makes the first layer of the manifest one that need not be here.
func foreign(l *build.Layout) {
	delete(l.Blobs, manifest(l).Layers[0].Digest)
	swapManifest(`image.layer.v1`, `image.layer.nondistributable.v1`)(l)
}

// wide is a text of n bytes that is one JSON string's inside.
func wide(n int) string { return strings.Repeat("a", n) }
