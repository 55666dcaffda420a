package gen

import (
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// brokenGraphs have manifests and configs that contradict what they refer to.
func brokenGraphs() []vector.Vector {
	bad := func(name, problem, spec, comment string, l *build.Layout) vector.Vector {
		return layoutOf(name, "corrupt", problem, spec, comment, l)
	}
	// kept is bad for verify, while import keeps it as it is.
	kept := func(name, problem, spec, comment string, l *build.Layout) vector.Vector {
		return imports("ok", bad(name, problem, spec, comment, l))
	}
	return []vector.Vector{
		kept("platform", "platform-mismatch", specIndex, "a child for linux/arm64 whose config is for linux/amd64", wrongPlatform(func(l *build.Layout, d content.Descriptor) {
			l.Tag("v1", l.Index(d))
		})),
		kept("platform-entry", "platform-mismatch", specIndexJSON, "an entry for linux/arm64 whose config is for linux/amd64", wrongPlatform(func(l *build.Layout, d content.Descriptor) {
			l.Tag("v1", d)
		})),
		kept("subject-size", "blob-size", specManifest, "a subject with a wrong size", hello(func(l *build.Layout) {
			subject := l.Entries[0]
			subject.Size++
			l.Add(l.Artifact("application/vnd.example.text", &subject, []byte("text")))
		})),
		imports("refused", bad("index-depth", "depth, unreferenced", specIndex, "indexes that nest 17 deep", nested(17))),
		imports("refused", bad("manifest-large", "too-large, unreferenced", specManifest, "a manifest of 5 MiB",
			image(build.Image{Annotations: map[string]string{"a": wide(5 << 20)}}))),
		kept("config-large", "too-large", specConfig, "a config of 5 MiB", image(build.Image{EditConfig: func(c *ocispec.Image) { c.Author = wide(5 << 20) }})),
		kept("config-text", "json-invalid", specConfig, "a config that is not JSON", hello(func(l *build.Layout) {
			editConfig(l, func(string) string { return "this is not JSON" })
		})),
		kept("config-key-twice", "json-ambiguous", specConfig, "a config with one key twice", hello(func(l *build.Layout) {
			editConfig(l, func(text string) string { return replace(text, `{`, `{"os":"windows",`) })
		})),
		kept("config-rootfs-type", "manifest-invalid", specConfig, "a config whose rootfs.type is not layers", image(build.Image{
			EditConfig: func(c *ocispec.Image) { c.RootFS.Type = "layers+base" },
		})),
		kept("diffid-traversal", "digest-invalid", specDigest, "a diffID that is a path", image(build.Image{EditConfig: func(c *ocispec.Image) {
			c.RootFS.DiffIDs[0] = "sha256:../../../../etc/passwd"
		}})),
		kept("type-index-is-manifest", "media-type", specDescriptor, "an image manifest without mediaType under the type of an index", hello(func(l *build.Layout) {
			swapManifest(fmt.Sprintf(`"mediaType":%q,"config"`, ocispec.MediaTypeImageManifest), `"config"`)(l)
			l.Entries[0].MediaType = ocispec.MediaTypeImageIndex
		})),
		bad("type-contradicted", "media-type", specDescriptor, "a manifest whose mediaType is not its descriptor's", hello(func(l *build.Layout) {
			l.Entries[0].MediaType = content.DockerManifest
		})),
		kept("type-unknown-subject", "media-type", specDescriptor, "an entry of an unknown type that is the subject of a referrer, as a manifest", attached(func(l *build.Layout) {
			l.Entries[0].MediaType = "application/vnd.example.unknown"
		})),
		kept("type-two-claims", "media-type", specDescriptor, "two entries of one manifest with two types", hello(func(l *build.Layout) {
			second := l.Entries[0]
			second.MediaType = content.DockerManifest
			second.Annotations = nil
			l.Add(second)
		})),
		bad("fanout", "blob-missing", specManifest, "a manifest of 2,000 layers that are one missing blob", fanout()),
	}
}

func wrongPlatform(add func(l *build.Layout, d content.Descriptor)) *build.Layout {
	l := build.NewLayout()
	d := l.Image(build.Image{})
	d.Platform = &arm64
	add(l, d)
	return l
}

func fanout() *build.Layout {
	return image(build.Image{
		Layers: []build.Layer{},
		EditConfig: func(c *ocispec.Image) {
			for range 2000 {
				c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, build.Descriptor("", nil).Digest)
				c.History = append(c.History, ocispec.History{})
			}
		},
		EditManifest: func(m *ocispec.Manifest) {
			d := content.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: "sha256:" + content.Digest(strings.Repeat("ab", 32)), Size: 1 << 40}
			for range 2000 {
				m.Layers = append(m.Layers, d)
			}
		},
	})
}
