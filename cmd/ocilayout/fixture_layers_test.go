package main

import (
	"archive/tar"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

func init() {
	fixtures["layers"], fixtures["quoted"] = layers, quoted
}

// quoted is a layout of an image whose name has every character that a picture
// might trip over.
func quoted() *build.Layout {
	l := build.NewLayout()
	d := l.Image(build.Image{})
	d.Annotations = map[string]string{content.AnnotationRefName: "a\"b\\c<d>&e\n]--"}
	l.Add(d)
	return l
}

// layers is a layout of one image, app, whose upper layers hide, replace and link
// what lower ones hold.
func layers() *build.Layout {
	l := build.NewLayout()
	l.Tag("app", l.Image(build.Image{
		Layers: []build.Layer{
			{Files: []build.File{
				build.Dir("etc"), build.Text("etc/motd", "base\n"), build.Text("etc/gone", "gone\n"),
				build.Dir("usr"), build.Dir("usr/bin"), build.Text("usr/bin/dash", "dash\n"), build.Symlink("usr/bin/sh", "dash"), build.Symlink("bin", "usr/bin"),
				build.Dir("var"), build.Dir("var/cache"), build.Text("var/cache/old", "old\n"),
			}},
			{Compression: "zstd", Files: []build.File{
				build.Dir("etc"), build.Text("etc/.wh.gone", ""), build.Dir("var/cache"), build.Text("var/cache/.wh..wh..opq", ""), build.Text("var/cache/new", "new\n"),
				build.Hardlink("usr/bin/ash", "usr/bin/dash"), build.Symlink("up", "../../../../etc/motd"), build.Symlink("loop", "loop"),
			}},
			{Compression: "none", Files: []build.File{
				build.Text("etc/motd", "top\n"), {Name: "usr/bin/su", Body: []byte("su\n"), Mode: 0o4755, UID: 1, GID: 2},
				{Name: "dev/null", Type: tar.TypeChar, Major: 1, Mode: 0o666}, build.Text("odd\x1b[2J", "steers a terminal\n"),
			}},
		},
		EditConfig: func(c *ocispec.Image) {
			c.Author = "someone"
			c.Config = ocispec.ImageConfig{
				User: "1:2", Env: []string{"PATH=/usr/bin", "GREETING=hello, world"}, Entrypoint: []string{"/usr/bin/sh", "-c"}, Cmd: []string{"exec su"},
				WorkingDir: "/var", ExposedPorts: map[string]struct{}{"80/tcp": {}, "443/tcp": {}}, Volumes: map[string]struct{}{"/var/cache": {}},
				Labels: map[string]string{"b": "2", "a": "1"}, StopSignal: "SIGINT",
			}
			for i, step := range []string{"ADD base", "RUN tidy", "COPY motd"} {
				c.History[i].CreatedBy = step
			}
		},
		Annotations: map[string]string{"org.opencontainers.image.source": "https://example.com/app"},
	}))
	app := l.Entries[0]
	l.Attach(app, "application/spdx+json", []byte("{}"))
	return l
}
