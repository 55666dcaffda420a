package main

import (
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

func init() { fixtures["bases"] = bases }

// bases is a layout with two versions of a base, os1 and os2, and two images that
// are built on the first: app, which names it, and multi, an index that does not.
func bases() *build.Layout {
	l := build.NewLayout()
	arm := content.Platform{OS: "linux", Architecture: "arm64"}
	base := func(p content.Platform, version string) build.Image {
		return build.Image{
			Platform: p,
			Layers:   []build.Layer{{Files: []build.File{build.Text("os-release", version)}}, {Files: []build.File{build.Text("lib", version)}}},
			EditConfig: func(c *ocispec.Image) {
				c.Config = ocispec.ImageConfig{Env: []string{"PATH=/bin", "OS=" + version}, Cmd: []string{"sh"}}
			},
		}
	}
	app := func(p content.Platform) build.Image {
		i := base(p, "1")
		i.Layers = append(i.Layers, build.Layer{Files: []build.File{build.Text("app", "a")}}, build.Layer{Files: []build.File{build.Text("app", "b")}})
		return i
	}
	old := l.Index(l.Image(base(content.Platform{}, "1")), l.Image(base(arm, "1")))
	l.Tag("os1", old)
	l.Tag("os2", l.Index(l.Image(base(content.Platform{}, "2")), l.Image(base(arm, "2"))))
	one := app(content.Platform{})
	one.Annotations = map[string]string{ocispec.AnnotationBaseImageName: "os1", ocispec.AnnotationBaseImageDigest: old.Digest.String()}
	l.Tag("app", l.Image(one))
	l.Tag("multi", l.Index(l.Image(app(content.Platform{})), l.Image(app(arm))))
	return l
}
