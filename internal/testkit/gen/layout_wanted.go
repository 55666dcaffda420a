package gen

import (
	"crypto/sha256"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

const (
	specPlatform = "image-index.md#image-index-property-descriptions"
	specChanges  = "layer.md#applying-changesets"
)

// wanted sets how a layout is checked, or what is wanted of it: a key of the header
// and its value, one after the other.
func wanted(v vector.Vector, keys ...string) vector.Vector {
	v.Values = map[string]string{}
	for i := 0; i < len(keys); i += 2 {
		v.Values[keys[i]] = keys[i+1]
	}
	return v
}

// wantedLayouts are of what a check finds that is told more than the layout.
func wantedLayouts() []vector.Vector {
	ok := func(name, problem, spec, comment string, l *build.Layout, keys ...string) vector.Vector {
		return wanted(layoutOf(name, "ok", problem, spec, comment, l), keys...)
	}
	lacks := func(name, problem, spec, comment string, l *build.Layout, keys ...string) vector.Vector {
		return imports("ok", wanted(layoutOf(name, "refused", problem, spec, comment, l), keys...))
	}
	const text = "referrer:application/vnd.example.text"
	layer := func(l *build.Layout) content.Digest { return manifest(l).Layers[0].Digest }
	noLayer := hello(func(l *build.Layout) { delete(l.Blobs, layer(l)) })
	return []vector.Vector{
		ok("required-platforms", "", specPlatform, "an index with the two platforms that are required", multiPlatform(),
			"require", "platform:linux/amd64, platform:linux/arm64/v8"),
		lacks("required-platform", "required-platform", specPlatform, "an image for another platform than the one required", image(build.Image{}),
			"require", "platform:linux/arm64"),
		lacks("required-platform-absent", "required-platform, sparse", specPlatform, "the image for a required platform is listed and not there", sparse(),
			"require", "platform:linux/arm64"),
		refers(ok("required-referrer-there", "", specReferrers, "an image with the referrer that is required", attached(func(*build.Layout) {}),
			"require", text), "subject application/vnd.example.text"),
		lacks("required-referrer", "required-referrer", specReferrers, "an image with a referrer of another type than the one required", attached(func(*build.Layout) {}),
			"require", "referrer:application/spdx+json"),
		lacks("required-referrer-unbound", "required-referrer, unbound", specReferrers, "an annotation says that a required referrer is one, its manifest does not", unbound(),
			"require", text),
		imports("corrupt", ok("allow-missing", "sparse", specLayer, "a layer is not there, in a layout that is sparse on purpose", noLayer, "allow-missing", "true")),
		ok("expect-file-there", "", specChanges, "files as they are expected, one over another and one gone", expectedFiles(), "expect-file", rightFiles()),
		lacks("expect-file", "expect-file", specChanges, "no file is as it is expected", expectedFiles(), "expect-file", wrongFiles()),
		imports("ok", ok("level-bytes", "", specDiffID, "a wrong diffID, at a level that looks into no layer", image(build.Image{EditConfig: func(c *ocispec.Image) {
			c.RootFS.DiffIDs[0] = build.Descriptor("", []byte("other")).Digest
		}}), "level", "bytes")),
		imports("corrupt", ok("level-quick", "", specBlobs, "a layer with a wrong bit, at a level that reads no layer", hello(func(l *build.Layout) {
			l.Blobs[layer(l)] = flip(l.Blobs[layer(l)], 30)
		}), "level", "quick")),
		imports("corrupt", wanted(layoutOf("level-quick-size", "corrupt", "blob-size", specDescriptor, "a layer without its end, at a level that reads no layer", hello(func(l *build.Layout) {
			l.Blobs[layer(l)] = cut(l.Blobs[layer(l)], 10)
		})), "level", "quick")),
		lacks("for-kind", "artifact, name-repository", "docs/consumers.md", "an artifact, and a name without a repository, for kind", hello(func(l *build.Layout) {
			l.Tag("docker.io/library/chart:v2", l.Artifact("application/vnd.example", nil, []byte("chart")))
		}), "for", "kind"),
		lacks("for-bazel", "one-entry", "docs/consumers.md", "two images for a program that takes one", twoNames(), "for", "bazel"),
		ok("for-ctr-short-name", "name-long", "docs/consumers.md", "a name in docker's short form for ctr, which calls it so", fullNamed("app:v1"), "for", "ctr"),
		imports("ok", wanted(of("oci-archive", "for-podman", "refused", "docker-manifest, name-long", "docs/consumers.md",
			"an archive without docker's manifest.json for podman", fullNamed("app:v1").Tar()), "for", "podman")),
		wanted(of("oci-archive", "for-docker", "ok", "", "docs/consumers.md", "what docker save writes, for docker's classic store",
			build.Tar(build.Docker25Archive(fullNamed("docker.io/library/app:v1"))...)), "for", "docker-classic"),
	}
}

func fullNamed(name string) *build.Layout {
	l := build.NewLayout()
	l.Tag(name, l.Image(build.Image{}))
	return l
}

// twoNames is two images under two names.
func twoNames() *build.Layout {
	return hello(func(l *build.Layout) { l.Tag("v2", l.Image(build.Image{Platform: arm64})) })
}

// expectedFiles is an image of two layers, the second of which changes files of the
// first.
func expectedFiles() *build.Layout {
	tool := build.File{Name: "bin/tool", Body: []byte("two"), Mode: 0o4755, UID: 3, GID: 4}
	return image(build.Image{Layers: []build.Layer{
		{Files: []build.File{build.Dir("bin"), build.Text("bin/tool", "one"), build.Text("gone", "x"), build.Symlink("link", "bin/tool")}},
		{Files: []build.File{tool, build.Text(".wh.gone", ""), build.Text("with space", "")}},
	}})
}

func rightFiles() string {
	return fmt.Sprintf("# what the second layer leaves\n/bin/tool mode=4755 owner=3:4 type=file size=3 sha256=%x\n!gone\nlink type=symlink\n\"with space\" size=0\nbin type=dir mode=0755\n",
		sha256.Sum256([]byte("two")))
}

func wrongFiles() string {
	return fmt.Sprintf("bin/tool mode=0755 owner=0:0 type=dir size=4 sha256=%s\ngone\n!link\n", strings.Repeat("0", 64))
}
