package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// editedLayout writes a layout with an index of two images called multi and the first
// of these called one, for edits.
func editedLayout(t testing.TB, docker bool) string {
	t.Helper()
	l := build.NewLayout()
	one := func(arch string) content.Descriptor {
		return l.Image(build.Image{
			Docker:   docker,
			Platform: content.Platform{OS: "linux", Architecture: arch},
			Layers: []build.Layer{
				{Files: []build.File{build.Dir("etc"), build.Text("etc/motd", "base\n"), {Name: "etc/in.tar", Body: build.Tar(build.Text("inner", "x"))}, build.Dir("bin"), {Name: "bin/tool", Body: []byte("tool"), Mode: 0o755, UID: 1, GID: 2}, build.Symlink("bin/link", "tool")}},
				{Files: []build.File{build.Dir("srv"), build.Text("srv/"+arch, arch)}},
				{Files: []build.File{build.Text("srv/alone", "x")}},
			},
			Annotations: map[string]string{"org.opencontainers.image.version": "1", "arch": arch},
			EditConfig: func(c *ocispec.Image) {
				late := build.Clock.Add(48 * time.Hour)
				c.Author = "somebody"
				c.Created = &late
				c.Config = ocispec.ImageConfig{
					User: "root", WorkingDir: "/", Env: []string{"PATH=/bin", "A=1", "B=2"}, Cmd: []string{"a"}, Entrypoint: []string{"/bin/tool"},
					Labels: map[string]string{"l": "1", "stamp": "2024-02-03T04:05:06Z"}, Volumes: map[string]struct{}{"/old": {}}, ExposedPorts: map[string]struct{}{"53/udp": {}},
				}
				clock := build.Clock
				c.History = []ocispec.History{
					{Created: &clock, CreatedBy: "ADD base"}, {Created: &clock, CreatedBy: "ARG TOKEN=s3cret", EmptyLayer: true}, {Created: &clock, CreatedBy: "ARG X", EmptyLayer: true},
					{Created: &late, CreatedBy: "RUN |2 TOKEN=s3cret X=1 /bin/sh -c make # buildkit"}, {Created: &late, CreatedBy: "COPY alone"},
				}
			},
		})
	}
	images := []content.Descriptor{one("amd64"), one("arm64")}
	index := build.IndexOf(images...)
	if docker {
		index.MediaType = content.DockerManifestList
	}
	l.Tag("multi", l.JSON(index.MediaType, index))
	l.Tag("one", images[0])
	dir := filepath.Join(t.TempDir(), "layout")
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	checked(t, dir)
	return dir
}

// A modCase is one option of regctl image mod, and how we are told to do the same.
type modCase struct {
	name   string
	theirs []string
	ours   []string
	on     string // "one", "multi", or "" for both
	docker bool   // the input has docker's media types
	// differs takes out of both outcomes what is meant to differ; docs/mutate.md says
	// why.
	differs func(o *outcome)
}

// beside is the case with a difference that is meant.
func (c modCase) beside(differs func(o *outcome)) modCase {
	c.differs = differs
	return c
}

// history is left out: entries of layers that go stay, marked as empty, and entries of
// layers that come say what made them, and not when.
func history(o *outcome) {
	if config, ok := o.Config.(map[string]any); ok {
		delete(config, "history")
	}
}

// namesToo is history and the names of owners, which regctl takes from this machine.
func namesToo(o *outcome) {
	history(o)
	for _, layer := range o.Layers {
		for i, member := range layer.Members {
			fields := strings.Split(member, " ")
			fields[4] = ":"
			layer.Members[i] = strings.Join(fields, " ")
		}
	}
}

func same(name string, args ...string) modCase { return modCase{name: name, theirs: args, ours: args} }

var modCases = []modCase{
	same("annotation", "--annotation", "[*]a=b=c", "--annotation", "[*]arch="),
	same("annotation of one platform", "--annotation", "[linux/arm64]a=b"),
	{name: "annotation of the top", theirs: []string{"--annotation", "a=b"}, ours: []string{"--annotation", "a=b"}, on: "one"},
	{name: "annotation-base", theirs: []string{"--annotation-base", "docker.io/library/alpine:3," + someDigest}, ours: []string{"--annotation-base", "docker.io/library/alpine:3," + someDigest},
		differs: func(o *outcome) {
			o.Annotations["org.opencontainers.image.base.name"] = strings.TrimPrefix(o.Annotations["org.opencontainers.image.base.name"], "docker.io/library/")
		}},
	same("annotation-promote", "--annotation-promote"),
	same("author", "--author", "me, you"),
	same("author goes", "--author", ""),
	{name: "buildarg-rm", theirs: []string{"--buildarg-rm", "TOKEN=s3cret"}, ours: []string{"--build-arg-rm", "TOKEN=s3cret"}},
	{name: "buildarg-rm-regex", theirs: []string{"--buildarg-rm-regex", "TOKEN=s[0-9a-z]+"}, ours: []string{"--build-arg-rm-regex", "TOKEN=s[0-9a-z]+"}},
	{name: "config-cmd", theirs: []string{"--config-cmd", `["a","b, c"]`}, ours: []string{"--cmd", `["a","b, c"]`}},
	{name: "config-cmd of a shell", theirs: []string{"--config-cmd", "echo a b"}, ours: []string{"--cmd", "echo a b"}},
	{name: "config-cmd goes", theirs: []string{"--config-cmd", ""}, ours: []string{"--cmd", ""}},
	{name: "config-entrypoint", theirs: []string{"--config-entrypoint", `["a"]`}, ours: []string{"--entrypoint", `["a"]`}},
	{name: "config-entrypoint of a shell", theirs: []string{"--config-entrypoint", "exec x"}, ours: []string{"--entrypoint", "exec x"}},
	{name: "config-entrypoint goes", theirs: []string{"--config-entrypoint", ""}, ours: []string{"--entrypoint", ""}},
	{name: "config-platform", theirs: []string{"--config-platform", "linux/s390x"}, ours: []string{"--set-platform", "linux/s390x"}, on: "one"},
	same("config-time", "--config-time", "set=2020-01-02T03:04:05Z"),
	same("config-time after", "--config-time", "set=2023-11-15T00:00:00Z,after=2023-11-15T00:00:00Z"),
	same("config-time from a label", "--config-time", "from-label=stamp"),
	same("config-time beside base layers", "--config-time", "set=2020-01-02T03:04:05Z,base-layers=2"),
	same("data-max", "--data-max", "3000"),
	same("data-max of nothing", "--data-max", "3000", "--data-max", "0"),
	same("digest-algo", "--digest-algo", "sha512"),
	same("env", "--env", "A=2,3", "--env", "C=4"),
	same("env goes", "--env", "A="),
	same("env of two platforms", "--env", "[linux/arm64,linux/s390x]A=2"),
	same("env of one platform", "--env", "[linux/arm64]A=2"),
	{name: "expose", theirs: []string{"--expose-add", "80/tcp", "--expose-rm", "53/udp"}, ours: []string{"--expose", "80/tcp", "--expose", "53/udp="}},
	same("label", "--label", "x=y,z", "--label", "l="),
	same("label of one platform", "--label", "[linux/amd64]x=y"),
	same("label-to-annotation", "--label-to-annotation"),
	same("layer-time", "--layer-time", "set=2020-01-02T03:04:05Z"),
	same("layer-time after", "--layer-time", "set=2020-01-02T03:04:05Z,after=2020-01-02T03:04:05Z"),
	same("layer-time beside base layers", "--layer-time", "set=2020-01-02T03:04:05Z,base-layers=1"),
	same("time", "--time", "set=2020-01-02T03:04:05Z"),
	same("time from a label", "--time", "from-label=stamp"),
	same("to-docker", "--to-docker"),
	{name: "to-oci", theirs: []string{"--to-oci"}, ours: []string{"--to-oci"}, docker: true},
	same("user", "--user", "1000:1000"),
	same("user of one platform", "--user", "[linux/arm64]1000"),
	{name: "volume", theirs: []string{"--volume-add", "/new", "--volume-rm", "/old"}, ours: []string{"--volume", "/new", "--volume", "/old="}},
	same("workdir", "--workdir", "/srv"),
	same("many in order", "--env", "Z=1", "--workdir", "/x", "--label", "q=1", "--workdir", "/y", "--to-docker", "--to-oci"),
	same("layer-add tar", "--layer-add", "tar=MORE").beside(history),
	same("layer-add tar of one platform", "--layer-add", "tar=MORE,platform=linux/arm64").beside(history),
	same("layer-add dir", "--layer-add", "dir=DIR").beside(namesToo),
	same("layer-compress none", "--layer-compress", "none"),
	same("layer-compress zstd", "--layer-compress", "zstd"),
	same("layer-compress there and back", "--layer-compress", "zstd", "--layer-compress", "gzip"),
	{name: "layer-rm-index", theirs: []string{"--layer-rm-index", "1"}, ours: []string{"--layer-rm", "2"}, on: "one", differs: history},
	same("layer-rm-created-by", "--layer-rm-created-by", "^COPY").beside(history),
	{name: "layer-strip-file", theirs: []string{"--layer-strip-file", "/srv/alone"}, ours: []string{"--strip-file", "/srv/alone"}, differs: history},
	{name: "layer-strip-file of a directory", theirs: []string{"--layer-strip-file", "srv"}, ours: []string{"--strip-file", "srv"}, differs: history},
	{name: "file-tar-time", theirs: []string{"--file-tar-time", "filename=/etc/in.tar,set=2020-01-02T03:04:05Z"}, ours: []string{"--file-tar-time", "/etc/in.tar=set=2020-01-02T03:04:05Z"}},
	{name: "reproducible", theirs: []string{"--reproducible"}, ours: []string{"--normalize"}},
}

const someDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// TestMutateIsImageMod does with every option of regctl image mod what regctl does, on
// an image and on an index, and compares what came out.
func TestMutateIsImageMod(t *testing.T) {
	regctl := regctl(t)
	inputs := map[bool]string{false: editedLayout(t, false), true: editedLayout(t, true)}
	more := file(t, "more.tar")
	write(t, more, string(build.Tar(build.Dir("opt"), build.Text("opt/more", "more"))))
	dir := filepath.Join(t.TempDir(), "dir")
	write(t, filepath.Join(dir, "opt", "file"), "file")
	fill := func(args []string) []string {
		var filled []string
		for _, arg := range args {
			filled = append(filled, strings.NewReplacer("MORE", more, "DIR", dir).Replace(arg))
		}
		return filled
	}
	for _, test := range modCases {
		for _, on := range []string{"one", "multi"} {
			if test.on != "" && test.on != on {
				continue
			}
			t.Run(test.name+" "+on, func(t *testing.T) {
				ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")
				for _, dir := range []string{ours, theirs} {
					if err := os.CopyFS(dir, os.DirFS(inputs[test.docker])); err != nil {
						t.Fatal(err)
					}
				}
				checked(t, ours)
				us(t, append([]string{"mutate", ours + ":" + on, "--tag", "new"}, fill(test.ours)...)...)
				regctl(t, append([]string{"image", "mod", "ocidir://" + theirs + ":" + on, "--create", "new"}, fill(test.theirs)...)...)
				made := "new"
				if !slices.Contains(names(t, theirs), made) {
					made = on // regctl gives what nothing changed in no name
				}
				got, want := outcomeOf(t, ours, "new"), outcomeOf(t, theirs, made)
				if test.differs != nil {
					leaveOut(&got, test.differs)
					leaveOut(&want, test.differs)
				}
				wantOutcome(t, got, want)
			})
		}
	}
}

// leaveOut calls f for an outcome and all in it.
func leaveOut(o *outcome, f func(*outcome)) {
	f(o)
	for i := range o.Manifests {
		leaveOut(&o.Manifests[i], f)
	}
}
