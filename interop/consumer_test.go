package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// A loader is a running consumer of archives. To add one, write a function that starts
// it and a line in loaders.
type loader struct {
	// load loads an archive into an empty store. said is all that it printed.
	load func(archive string) (said string, err error)
	// names are what it then lists, but for names that are made of digests.
	names func() []string
	// clear empties the store.
	clear func()
}

// loaders are the consumers that run here: a name for the test, the value of --for, and
// how to start it.
var loaders = []struct {
	name, consumer string
	start          func(t *testing.T) loader
}{
	{"docker", "docker", startClassicDocker},
	{"podman", "podman", startPodman},
	{"ctr1", "ctr", ctrLoader("containerd", "ctr", 2)},
	{"ctr2", "ctr", ctrLoader("containerd2", "ctr2", 3)},
	{"kind-containerd1", "kind", ctrLoader("containerd", "ctr", 2, "--all-platforms", "--digests")},
	{"kind-containerd2", "kind", ctrLoader("containerd2", "ctr2", 3, "--all-platforms", "--digests")},
	// k3s imports as these flags do, but for skipping what is absent since June 2024.
	{"k3s-containerd1", "k3s", ctrLoader("containerd", "ctr", 2, "--all-platforms", "--no-unpack")},
}

func startClassicDocker(t *testing.T) loader {
	d := startDocker(t)
	return loader{
		load: func(archive string) (string, error) { return output(d.command("load", "-i", archive)) },
		names: func() []string {
			return lines(d.run("images", "--format", "{{.Repository}}:{{.Tag}}"))
		},
		clear: func() {
			if ids := strings.Fields(d.run("images", "-q", "--no-trunc")); len(ids) > 0 {
				slices.Sort(ids)
				d.run(append([]string{"rmi", "-f"}, slices.Compact(ids)...)...)
			}
		},
	}
}

func startPodman(t *testing.T) loader {
	p := newPodman(t)
	return loader{
		load: func(archive string) (string, error) { return output(p.command("load", "-i", archive)) },
		names: func() []string {
			return lines(p.run("images", "--format", "{{.Repository}}:{{.Tag}}"))
		},
		clear: func() { p.run("rmi", "-a", "-f") },
	}
}

// ctrLoader starts containerd, and imports with the flags that kind or k3s import with.
func ctrLoader(server, client string, version int, flags ...string) func(t *testing.T) loader {
	return func(t *testing.T) loader {
		c := startContainerd(t, server, client, version)
		return loader{
			load: func(archive string) (string, error) {
				args := append([]string{"-a", c.socket, "images", "import", "--snapshotter", "native"}, flags...)
				if c.local {
					args = append(args, "--local")
				}
				return output(exec.Command(c.program, append(args, archive)...))
			},
			names: func() []string {
				var names []string
				for name := range c.images() {
					if !strings.Contains(name, "@sha256:") {
						names = append(names, name)
					}
				}
				slices.Sort(names)
				return names
			},
			clear: c.remove,
		}
	}
}

// output runs a command and returns all that it printed.
func output(cmd *exec.Cmd) (string, error) {
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// lines are the lines of a text, sorted.
func lines(text string) []string {
	all := strings.Fields(text)
	slices.Sort(all)
	return all
}

// archiveOf writes a layout as a tar, as it is.
func archiveOf(t testing.TB, l *build.Layout) string {
	t.Helper()
	path := file(t, "archive.tar")
	if err := os.WriteFile(path, l.Tar(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// directoryOf writes a layout as a directory.
func directoryOf(t testing.TB, l *build.Layout) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestConsumers loads what export --for wrote, and for each rule what it would have
// been without.
func TestConsumers(t *testing.T) {
	for _, l := range loaders {
		t.Run(l.name, func(t *testing.T) {
			c := l.start(t)
			t.Run("everything", func(t *testing.T) {
				loadsAsPrinted(t, c, l.consumer, everything(t), nil, []string{appName, dbName})
				c.clear()
			})
			for _, broken := range brokenCases {
				if slices.Contains(strings.Fields(broken.consumers), l.consumer) {
					t.Run(broken.rule, func(t *testing.T) { broken.run(t, c, l.consumer) })
				}
			}
		})
	}
}

// loadsAsPrinted loads what export --for makes of a layout: it must succeed and show the
// names that were printed, which are the ones wanted.
func loadsAsPrinted(t *testing.T, c loader, consumer, layout string, args, want []string) {
	t.Helper()
	archive := file(t, "for.tar")
	printed := lines(us(t, append([]string{"export", layout, "--for", consumer, archive}, args...)...))
	said, err := c.load(archive)
	if err != nil {
		t.Errorf("load of export --for %s: %v\n%s", consumer, err, said)
	}
	if got := c.names(); !slices.Equal(got, printed) || !slices.Equal(printed, want) {
		t.Errorf("it shows %q, export printed %q, want %q\n%s", got, printed, want, said)
	}
}

// A brokenCase is a layout that a consumer does not load, or loads otherwise than it
// should, if a rule does not hold.
type brokenCase struct {
	rule, consumers string
	make            func(l *build.Layout)
	// archive is how the archive is written without the rule; nil is as it is, without
	// docker's manifest.json.
	archive func(t *testing.T, l *build.Layout) string
	args    []string // of export --for
	// want are the names that should be there; none if export --for refuses.
	want []string
	lost []string // names that should have been there; want if nil
}

func (b brokenCase) run(t *testing.T, c loader, consumer string) {
	l := build.NewLayout()
	b.make(l)
	write, lost := b.archive, b.lost
	if write == nil {
		write = func(t *testing.T, l *build.Layout) string { return archiveOf(t, l) }
	}
	if lost == nil {
		lost = b.want
	}
	said, err := c.load(write(t, l))
	if names := c.names(); err == nil && slices.Equal(names, shownBy(consumer, lost)) {
		t.Errorf("without the rule it loads, as %q\n%s", names, said)
	}
	c.clear()
	if b.want != nil {
		loadsAsPrinted(t, c, consumer, directoryOf(t, l), b.args, shownBy(consumer, b.want))
		c.clear()
		return
	}
	archive := file(t, "for.tar")
	said, err = output(exec.Command(ocilayout(t), append([]string{"export", directoryOf(t, l), "--for", consumer, archive}, b.args...)...))
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 4 || !strings.Contains(said, "(rule "+b.rule+")") {
		t.Errorf("export: %v, want exit 4 by rule %s\n%s", err, b.rule, said)
	}
	if _, err := os.Stat(archive); err == nil {
		t.Error("the archive was written")
	}
}

// shownBy are full names as the consumer shows them.
func shownBy(consumer string, names []string) []string {
	if !strings.HasPrefix(consumer, "docker") {
		return names
	}
	var short []string
	for _, name := range names {
		short = append(short, strings.TrimPrefix(name, "docker.io/library/"))
	}
	return short
}

// plainExport is the complete archive, with docker's manifest.json.
func plainExport(t *testing.T, l *build.Layout) string {
	t.Helper()
	archive := file(t, "plain.tar")
	us(t, "export", directoryOf(t, l), archive)
	return archive
}

// names of the images in brokenCases.
const app, db = "docker.io/library/app:v1", "docker.io/library/db:v1"

// brokenCases are the rules that a consumer here can be seen to need.
var brokenCases = []brokenCase{
	{
		rule: "fallback-tag", consumers: "podman ctr kind k3s", want: []string{app},
		make: func(l *build.Layout) {
			d := imageFor(l, "linux/amd64", "app")
			l.Tag(app, d)
			l.Tag(build.FallbackTag(d.Digest), l.Index(l.Artifact("application/spdx+json", &d, []byte("{}"))))
		},
	}, {
		rule: "cosign-tag", consumers: "podman ctr kind k3s", want: []string{app},
		make: func(l *build.Layout) {
			d := imageFor(l, "linux/amd64", "app")
			l.Tag(app, d)
			l.Tag(build.FallbackTag(d.Digest)+".sig", signature(l, d))
		},
	}, {
		rule: "artifact", consumers: "podman ctr kind k3s", want: []string{app},
		make: func(l *build.Layout) {
			l.Tag(app, imageFor(l, "linux/amd64", "app"))
			l.Tag("docker.io/library/chart:v1", l.Artifact("application/vnd.example", nil, []byte("chart")))
		},
	}, {
		rule: "image-absent", consumers: "docker podman ctr kind k3s", lost: []string{app},
		make: func(l *build.Layout) {
			d := imageFor(l, "linux/amd64", "app")
			l.Tag(app, l.Index(d))
			removeImage(l, d)
		},
	}, {
		rule: "platform-absent", consumers: "kind k3s", want: []string{app},
		make: func(l *build.Layout) {
			far := imageFor(l, "linux/arm64", "far")
			l.Tag(app, l.Index(far, imageFor(l, "linux/amd64", "app")))
			removeImage(l, far)
		},
	}, {
		rule: "platform-node", consumers: "ctr kind", lost: []string{app, db},
		make: func(l *build.Layout) {
			l.Tag(app, l.Index(imageFor(l, "linux/amd64", "app")))
			l.Tag(db, l.Index(imageFor(l, "linux/arm64", "db")))
		},
	}, {
		rule: "name-missing", consumers: "ctr kind k3s", want: []string{app}, args: []string{"--name", app},
		make: func(l *build.Layout) { l.Add(imageFor(l, "linux/amd64", "app")) },
	}, {
		rule: "name-repository", consumers: "podman ctr kind k3s", want: []string{app}, args: []string{"--base-name", "app"},
		make: func(l *build.Layout) { l.Tag("v1", imageFor(l, "linux/amd64", "app")) },
	}, {
		rule: "name-repository", consumers: "docker", want: []string{app}, args: []string{"--base-name", "app"},
		make:    func(l *build.Layout) { l.Tag("v1", imageFor(l, "linux/amd64", "app")) },
		archive: plainExport,
	}, {
		rule: "name-repository", consumers: "podman ctr kind k3s", lost: []string{app},
		make: func(l *build.Layout) {
			l.Tag("v1", imageFor(l, "linux/amd64", "app"))
			l.Tag("v1", imageFor(l, "linux/amd64", "db"))
		},
	}, {
		rule: "name-long", consumers: "podman ctr kind k3s", want: []string{app},
		make: func(l *build.Layout) { l.Tag("app:v1", imageFor(l, "linux/amd64", "app")) },
	}, {
		rule: "name-twice", consumers: "podman ctr kind k3s", lost: []string{app, app},
		make: twice,
	}, {
		rule: "name-twice", consumers: "docker", lost: []string{app, app},
		make: twice, archive: plainExport,
	}, {
		rule: "docker-manifest", consumers: "docker podman", want: []string{app, db},
		make: func(l *build.Layout) {
			l.Tag(app, imageFor(l, "linux/amd64", "app"))
			l.Tag(db, imageFor(l, "linux/amd64", "db"))
		},
	}, {
		rule: "one-system", consumers: "docker", lost: []string{app, "docker.io/library/win:v1"},
		make: func(l *build.Layout) {
			l.Tag(app, imageFor(l, "linux/amd64", "app"))
			l.Tag("docker.io/library/win:v1", imageFor(l, "windows/amd64", "win"))
		},
		archive: plainExport,
	}, {
		rule: "zstd", consumers: "docker", lost: []string{app},
		make: func(l *build.Layout) {
			l.Tag(app, l.Image(build.Image{Layers: []build.Layer{{Compression: "zstd", Files: motd("zstd")}}}))
		},
		archive: plainExport,
	}, {
		rule: "something", consumers: "podman ctr kind k3s", lost: []string{app},
		make: func(l *build.Layout) { l.Add(l.Artifact("application/vnd.example", nil, []byte("chart"))) },
	}, {
		rule: "plain-tar", consumers: "ctr kind", want: []string{app},
		make: func(l *build.Layout) { l.Tag(app, imageFor(l, "linux/amd64", "app")) },
		archive: func(t *testing.T, l *build.Layout) string {
			archive := archiveOf(t, l)
			run(t, "gzip", archive)
			return archive + ".gz"
		},
	},
}

func twice(l *build.Layout) {
	l.Tag(app, imageFor(l, "linux/amd64", "one"))
	l.Tag(app, imageFor(l, "linux/amd64", "two"))
}

func motd(text string) []build.File {
	return []build.File{build.Dir("etc"), build.Text("etc/motd", text+"\n")}
}

// imageFor adds an image for a platform such as linux/amd64.
func imageFor(l *build.Layout, platform, text string) content.Descriptor {
	os, arch, _ := strings.Cut(platform, "/")
	return l.Image(build.Image{Platform: content.Platform{OS: os, Architecture: arch}, Layers: []build.Layer{{Files: motd(text)}}})
}

// signature adds what cosign stores for an image.
func signature(l *build.Layout, of content.Descriptor) content.Descriptor {
	return unpackable(l, content.Platform{}, l.Put("application/vnd.dev.cosign.simplesigning.v1+json",
		[]byte(`{"critical":{"image":{"docker-manifest-digest":"`+of.Digest.String()+`"}}}`)))
}

// removeImage takes the content of an image out of a layout.
func removeImage(l *build.Layout, d content.Descriptor) {
	m, err := content.ParseManifest(d.MediaType, l.Blobs[d.Digest])
	if err != nil {
		panic(err)
	}
	for _, e := range m.Edges() {
		delete(l.Blobs, e.To.Digest)
	}
	delete(l.Blobs, d.Digest)
}
