package main

import (
	"os"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// fixtures are the layouts that scripts begin with.
var fixtures = map[string]func() *build.Layout{
	// one linux/amd64 image named v1
	"hello": build.Hello,
	// two platforms as app:v1 with an SBOM and a signature of cosign, one image
	// named tool, and one without a name
	"images": images,
	// the same with a byte of the image tool's layer flipped
	"corrupt": func() *build.Layout {
		l := images()
		l.Blobs[toolLayer(l)][20] ^= 1
		return l
	},
	// the same without that layer
	"missing": func() *build.Layout {
		l := images()
		delete(l.Blobs, toolLayer(l))
		return l
	},
	// the same with a byte of its manifest flipped, and a blob that nothing reaches
	"corrupt-manifest": func() *build.Layout {
		l := images()
		l.Put("", []byte("stray"))
		l.Blobs[toolEntry(l).Digest][20] ^= 1
		return l
	},
	// the same without its manifest, and with such a blob
	"missing-manifest": func() *build.Layout {
		l := images()
		l.Put("", []byte("stray"))
		delete(l.Blobs, toolEntry(l).Digest)
		return l
	},
	// two images whose tag is latest, which oras and skopeo can't tell apart
	"ambiguous": func() *build.Layout {
		l := build.NewLayout()
		l.Tag("one.example/app:latest", l.Image(image("amd64", "one")))
		l.Tag("two.example/app:latest", l.Image(image("amd64", "two")))
		return l
	},
	// one image named v1 with attestations of BuildKit and tags of cosign
	"legacy": legacy,
	// the file demo-1.2.3.tgz, a Helm chart, as the artifact named files
	"chart": chart,
	// an image with a short name, db:v1 of two platforms with an SBOM, and an artifact
	"loads": loads,
	// names and platforms that are control sequences
	"hostile": func() *build.Layout {
		l := build.NewLayout()
		d := l.Image(build.Image{EditConfig: func(c *ocispec.Image) { c.Author = "\x1b[2Jme" }})
		d.Annotations = map[string]string{content.AnnotationRefName: "evil\x1b[2J\u202e\u009b"}
		l.Add(d)
		return l
	},
}

func image(arch, motd string) build.Image {
	return build.Image{
		Platform: content.Platform{OS: "linux", Architecture: arch},
		Layers:   []build.Layer{{Files: []build.File{build.Text("etc/motd", motd+"\n")}}},
		EditConfig: func(c *ocispec.Image) {
			c.Config.Env = []string{"PATH=/bin", "GREETING=hello, world"}
			c.Config.Entrypoint = []string{"/bin/sh", "-c"}
			c.Config.Labels = map[string]string{"version": "1"}
		},
	}
}

func images() *build.Layout {
	l := build.NewLayout()
	app := l.Index(l.Image(image("amd64", "app on amd64")), l.Image(image("arm64", "app on arm64")))
	l.Tag("docker.io/library/app:v1", app)
	l.Tag("tool", l.Image(image("amd64", "tool")))
	l.Add(l.Image(image("amd64", "no name")))
	l.Attach(app, "application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`))
	signature := l.Image(image("amd64", "signature"))
	signature.Platform = nil
	l.Tag(strings.Replace(app.Digest.String(), ":", "-", 1)+".sig", signature)
	return l
}

// toolEntry is the entry of the image called tool.
func toolEntry(l *build.Layout) content.Descriptor {
	for _, e := range l.Entries {
		if e.Annotations[content.AnnotationRefName] == "tool" {
			return e
		}
	}
	panic("no entry called tool")
}

// toolLayer is the layer of that image.
func toolLayer(l *build.Layout) content.Digest {
	e := toolEntry(l)
	m, err := content.ParseManifest(e.MediaType, l.Blobs[e.Digest])
	if err != nil {
		panic(err)
	}
	return m.Layers[0].Digest
}

// scriptFixture is "fixture NAME PATH": the layout as a directory, or as a tar if
// PATH ends so.
func scriptFixture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || fixtures[args[0]] == nil {
		ts.Fatalf("usage: fixture NAME PATH")
	}
	l, path := fixtures[args[0]](), ts.MkAbs(args[1])
	if strings.HasSuffix(path, ".tar") {
		ts.Check(os.WriteFile(path, l.Tar(), 0o644))
		return
	}
	ts.Check(l.WriteDir(path))
}
