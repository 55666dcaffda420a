package consumer_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// image adds an image of a platform such as linux/amd64.
func image(l *build.Layout, platform, text string) content.Descriptor {
	os, arch, _ := strings.Cut(platform, "/")
	return l.Image(build.Image{
		Platform: content.Platform{OS: os, Architecture: arch},
		Layers:   []build.Layer{{Files: []build.File{build.Text("etc/motd", text+" "+platform)}}},
	})
}

// index adds an index of images of some platforms.
func index(l *build.Layout, text string, platforms ...string) content.Descriptor {
	var children []content.Descriptor
	for _, p := range platforms {
		children = append(children, image(l, p, text))
	}
	return l.Index(children...)
}

// imageless adds a manifest with an image's config around what is no filesystem.
func imageless(l *build.Layout, mediaType, body string) content.Descriptor {
	layer := l.Put(mediaType, []byte(body))
	return l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: l.JSON(ocispec.MediaTypeImageConfig, ocispec.Image{RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{layer.Digest}}}),
		Layers: []content.Descriptor{layer},
	})
}

// attestation adds what BuildKit puts beside an image.
func attestation(l *build.Layout, of content.Descriptor) content.Descriptor {
	d := imageless(l, "application/vnd.in-toto+json", `{"about":"`+of.Digest.String()+`"}`)
	d.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	d.Annotations = map[string]string{
		content.AnnotationReferenceType: "attestation-manifest", content.AnnotationReferenceDigest: of.Digest.String()}
	return d
}

// remove takes out a manifest with its config and layers.
func remove(l *build.Layout, d content.Descriptor) {
	m, err := content.ParseManifest(d.MediaType, l.Blobs[d.Digest])
	if err != nil {
		panic(err)
	}
	for _, e := range m.Edges() {
		delete(l.Blobs, e.To.Digest)
	}
	delete(l.Blobs, d.Digest)
}

// both is a layout of two images of two platforms with equal tags, a signature, an SBOM
// and an attestation of BuildKit's.
func both(l *build.Layout) {
	app := image(l, "linux/amd64", "app")
	l.Tag("one.example/app:latest", l.Index(app, image(l, "linux/arm64", "app"), attestation(l, app)))
	db := index(l, "db", "linux/amd64", "linux/arm64")
	l.Tag("two.example/db:latest", db)
	l.Attach(db, "application/spdx+json", []byte("{}"))
	l.Tag(build.FallbackTag(db.Digest)+".sig", imageless(l, "application/vnd.dev.cosign.simplesigning.v1+json", "{}"))
}

// open writes a layout and opens it.
func open(t testing.TB, l *build.Layout) *layout.Reader {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// look reads the facts of every entry of a layout.
func look(t testing.TB, r *layout.Reader, chosen bool) []consumer.Facts {
	t.Helper()
	var entries []layout.Entry
	err := r.View(context.Background(), func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	facts, err := consumer.Look(context.Background(), r, entries, func(int) bool { return chosen }, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// rulesOf are the ids of remarks, each once.
func rulesOf(list []consumer.Remark) string {
	var ids []string
	for _, r := range list {
		if !slices.Contains(ids, r.Rule) {
			ids = append(ids, r.Rule)
		}
	}
	return strings.Join(ids, " ")
}

// outcome is what a selection comes to, in one line.
func outcome(s consumer.Selection) string {
	parts := []string{strings.Join(s.Names(), " ")}
	for _, p := range []struct{ sign, ids string }{{"-", rulesOf(s.LeftOut)}, {"~", rulesOf(s.Changed)}, {"!", rulesOf(s.Refused)}} {
		if p.ids != "" {
			parts = append(parts, p.sign+p.ids)
		}
	}
	return strings.TrimSpace(strings.Join(parts, " | "))
}

var amd64, arm64 = content.Platform{OS: "linux", Architecture: "amd64"}, content.Platform{OS: "linux", Architecture: "arm64"}

// cases are layouts and what the consumers get of them. An outcome is the names, then
// the rules by which entries are left out (-), changed (~) and refused (!).
var cases = []struct {
	name    string
	make    func(l *build.Layout)
	options consumer.Options
	chosen  bool
	want    map[string]string // consumers to their outcome
}{
	{
		name: "two images with all that belongs to them", make: both,
		want: map[string]string{
			"docker docker-classic":          "one.example/app:latest two.example/db:latest | -fallback-tag cosign-tag | ~docker-manifest",
			"podman":                         "one.example/app:latest two.example/db:latest | -fallback-tag cosign-tag | ~docker-manifest",
			"docker-containerd ctr kind k3s": "one.example/app:latest two.example/db:latest | -fallback-tag cosign-tag",
			"bazel":                          "one.example/app:latest two.example/db:latest | -fallback-tag cosign-tag | !one-entry",
			"scan":                           "one.example/app:latest two.example/db:latest | -fallback-tag cosign-tag | ~one-manifest | !one-entry",
		},
	}, {
		name: "artifacts", make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", image(l, "linux/amd64", "app"))
			l.Tag("docker.io/library/chart:v1", l.Artifact("application/vnd.example", nil, []byte("chart")))
			l.Add(imageless(l, "application/vnd.example", "no filesystem"))
		},
		want: map[string]string{
			"docker docker-classic docker-containerd": "app:v1 | -artifact",
			"podman ctr kind k3s bazel scan":          "docker.io/library/app:v1 | -artifact",
		},
	}, {
		name: "an artifact that was asked for", chosen: true, make: func(l *build.Layout) {
			l.Tag("docker.io/library/chart:v1", l.Artifact("application/vnd.example", nil, []byte("chart")))
		},
		want: map[string]string{"docker docker-classic docker-containerd podman ctr kind k3s bazel scan": "| !artifact"},
	}, {
		name: "a referrer that is an image", make: func(l *build.Layout) {
			app := image(l, "linux/amd64", "app")
			l.Tag("docker.io/library/app:v1", app)
			l.Add(l.Image(build.Image{Subject: &app}))
		},
		want: map[string]string{"kind k3s bazel scan": "docker.io/library/app:v1 | -artifact"},
	}, {
		name: "nothing at all", make: func(l *build.Layout) { l.Add(l.Artifact("application/vnd.example", nil, []byte("chart"))) },
		want: map[string]string{"docker podman ctr kind k3s bazel scan": "| -artifact | !something"},
	}, {
		name: "a sparse index", make: func(l *build.Layout) {
			far := image(l, "linux/arm64", "app")
			l.Tag("docker.io/library/app:v1", l.Index(far, image(l, "linux/amd64", "app")))
			remove(l, far)
		},
		want: map[string]string{
			"docker docker-classic docker-containerd": "app:v1 | ~image-absent",
			"podman ctr":     "docker.io/library/app:v1 | ~image-absent",
			"kind k3s bazel": "docker.io/library/app:v1 | ~platform-absent",
			"scan":           "docker.io/library/app:v1 | ~one-manifest",
		},
	}, {
		name: "an index with a layer missing", make: func(l *build.Layout) {
			far := image(l, "linux/arm64", "app")
			l.Tag("docker.io/library/app:v1", l.Index(far, image(l, "linux/amd64", "app")))
			m, _ := content.ParseManifest(far.MediaType, l.Blobs[far.Digest])
			delete(l.Blobs, m.Layers[0].Digest)
		},
		want: map[string]string{"ctr": "docker.io/library/app:v1 | ~image-absent", "kind k3s": "docker.io/library/app:v1 | ~platform-absent"},
	}, {
		name: "an index of which nothing is there", make: func(l *build.Layout) {
			far := image(l, "linux/arm64", "app")
			l.Tag("docker.io/library/app:v1", l.Index(far))
			remove(l, far)
		},
		want: map[string]string{"ctr kind k3s": "docker.io/library/app:v1 | !image-absent"},
	}, {
		name: "an image without a layer", make: func(l *build.Layout) {
			app := image(l, "linux/amd64", "app")
			l.Tag("docker.io/library/app:v1", app)
			m, _ := content.ParseManifest(app.MediaType, l.Blobs[app.Digest])
			delete(l.Blobs, m.Layers[0].Digest)
		},
		want: map[string]string{"ctr kind k3s scan": "docker.io/library/app:v1 | !image-absent"},
	}, {
		name: "nothing in common", make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", index(l, "app", "linux/amd64"))
			l.Tag("docker.io/library/db:v1", index(l, "db", "linux/arm64"))
		},
		want: map[string]string{
			"ctr kind":   "docker.io/library/app:v1 docker.io/library/db:v1 | !platform-node",
			"podman k3s": "docker.io/library/app:v1 docker.io/library/db:v1",
		},
	}, {
		name: "one platform in common", make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", index(l, "app", "linux/amd64", "linux/arm64"))
			l.Tag("docker.io/library/db:v1", image(l, "linux/arm64", "db"))
		},
		want: map[string]string{
			"ctr":  "docker.io/library/app:v1 docker.io/library/db:v1 | ~platform-node",
			"kind": "docker.io/library/app:v1 docker.io/library/db:v1",
		},
	}, {
		name: "one of two platforms", options: consumer.Options{Platforms: []content.Platform{arm64}},
		make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", index(l, "app", "linux/amd64", "linux/arm64"))
		},
		want: map[string]string{
			"docker docker-classic docker-containerd": "app:v1 | ~platform-wanted",
			"podman ctr kind k3s bazel":               "docker.io/library/app:v1 | ~platform-wanted",
			"scan":                                    "docker.io/library/app:v1 | ~one-manifest",
		},
	}, {
		name: "two of three platforms", options: consumer.Options{Platforms: []content.Platform{arm64, amd64}},
		make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", index(l, "app", "linux/amd64", "linux/arm64", "linux/s390x"))
		},
		want: map[string]string{"ctr kind k3s": "docker.io/library/app:v1 | ~platform-wanted"},
	}, {
		name: "a platform that is not there", options: consumer.Options{Platforms: []content.Platform{arm64}},
		make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", index(l, "app", "linux/amd64"))
			l.Tag("docker.io/library/db:v1", image(l, "linux/amd64", "db"))
		},
		want: map[string]string{"k3s": "docker.io/library/app:v1 docker.io/library/db:v1 | !platform-wanted"},
	}, {
		name: "an attestation", make: func(l *build.Layout) {
			app := image(l, "linux/amd64", "app")
			l.Tag("docker.io/library/app:v1", l.Index(app, attestation(l, app)))
		},
		want: map[string]string{
			"docker docker-classic docker-containerd": "app:v1",
			"podman ctr kind k3s bazel":               "docker.io/library/app:v1",
			"scan":                                    "docker.io/library/app:v1 | ~one-manifest",
		},
	}, {
		name: "no name", make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", image(l, "linux/amd64", "app"))
			l.Add(image(l, "linux/amd64", "nameless"))
		},
		want: map[string]string{
			"docker docker-classic docker-containerd": "<none>:<none> app:v1",
			"podman":       "<none>:<none> docker.io/library/app:v1",
			"ctr kind k3s": "docker.io/library/app:v1 | -name-missing",
			"bazel scan":   "docker.io/library/app:v1 | !one-entry",
		},
	}, {
		name: "a name for one without", options: consumer.Options{Name: "app:v2"}, chosen: true,
		make: func(l *build.Layout) { l.Add(image(l, "linux/amd64", "nameless")) },
		want: map[string]string{
			"docker":  "app:v2 | ~name-long",
			"ctr k3s": "docker.io/library/app:v2 | ~name-long",
			"scan":    "docker.io/library/app:v2",
		},
	}, {
		name: "a name for two", options: consumer.Options{Name: "app:v2"}, make: both,
		want: map[string]string{"k3s": "one.example/app:latest two.example/db:latest | -fallback-tag cosign-tag | !name-wanted"},
	}, {
		name: "a tag alone", make: func(l *build.Layout) { l.Tag("v1", image(l, "linux/amd64", "app")) },
		want: map[string]string{
			"docker docker-classic docker-containerd podman ctr kind k3s": "v1 | !name-repository",
			"bazel scan": "v1",
		},
	}, {
		name: "a tag alone and a repository", options: consumer.Options{Repository: "mirror.example/app"},
		make: func(l *build.Layout) { l.Tag("v1", image(l, "linux/amd64", "app")) },
		want: map[string]string{"docker podman ctr kind k3s": "mirror.example/app:v1 | ~name-repository", "bazel scan": "v1"},
	}, {
		name: "a tag alone and a repository that is none", options: consumer.Options{Repository: "Mirror!"},
		make: func(l *build.Layout) { l.Tag("v1", image(l, "linux/amd64", "app")) },
		want: map[string]string{"docker podman ctr kind k3s": "v1 | !name-repository"},
	}, {
		name: "a name that docker does not read", make: func(l *build.Layout) { l.Tag("docker.io/library/App:v1", image(l, "linux/amd64", "app")) },
		want: map[string]string{"docker docker-classic docker-containerd podman ctr kind k3s": "docker.io/library/App:v1 | !name-repository"},
	}, {
		name: "a name with a digest", make: func(l *build.Layout) {
			d := image(l, "linux/amd64", "app")
			d.Annotations = map[string]string{content.AnnotationImageName: "docker.io/library/app@" + d.Digest.String()}
			l.Add(d)
		},
		want: map[string]string{
			"ctr kind":   "docker.io/library/app@DIGEST",
			"podman k3s": "docker.io/library/app@DIGEST | !name-repository",
			"docker":     "app@DIGEST | !name-repository",
		},
	}, {
		name: "a short name", make: func(l *build.Layout) { l.Tag("app:v1", image(l, "linux/amd64", "app")) },
		want: map[string]string{
			"docker docker-containerd": "app:v1 | ~name-long",
			"docker-classic":           "app:v1",
			"podman ctr kind k3s":      "docker.io/library/app:v1 | ~name-long",
			"bazel scan":               "app:v1",
		},
	}, {
		name: "one name for two", make: func(l *build.Layout) {
			l.Tag("app:v1", image(l, "linux/amd64", "one"))
			l.Tag("docker.io/library/app:v1", image(l, "linux/amd64", "two"))
		},
		want: map[string]string{
			"docker docker-containerd": "app:v1 app:v1 | ~name-long | !name-twice",
			"docker-classic":           "app:v1 app:v1 | !name-twice",
			"podman ctr kind k3s":      "docker.io/library/app:v1 docker.io/library/app:v1 | ~name-long | !name-twice",
		},
	}, {
		name: "one name twice for one image", make: func(l *build.Layout) {
			l.Tag("app:v1", image(l, "linux/amd64", "one"))
			l.Tag("docker.io/library/app:v1", image(l, "linux/amd64", "one"))
		},
		want: map[string]string{"podman ctr kind k3s": "docker.io/library/app:v1 | -name-twice | ~name-long"},
	}, {
		name: "two systems", make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", image(l, "linux/amd64", "app"))
			l.Tag("docker.io/library/win:v1", image(l, "windows/amd64", "win"))
		},
		want: map[string]string{
			"docker docker-classic": "app:v1 win:v1 | !one-system",
			"docker-containerd":     "app:v1 win:v1",
			"podman k3s":            "docker.io/library/app:v1 docker.io/library/win:v1",
		},
	}, {
		name: "zstd", make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", l.Image(build.Image{Layers: []build.Layer{{Compression: "zstd"}}}))
		},
		want: map[string]string{
			"docker docker-classic": "app:v1 | !zstd",
			"docker-containerd":     "app:v1",
			"podman ctr kind k3s":   "docker.io/library/app:v1",
		},
	}, {
		name: "zstd in a directory", options: consumer.Options{Directory: true}, make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", l.Image(build.Image{Layers: []build.Layer{{Compression: "zstd"}}}))
		},
		want: map[string]string{"docker docker-classic": "app:v1"},
	}, {
		name: "layers that docker does not read", make: func(l *build.Layout) {
			files := []build.File{build.Text("a", "a")}
			l.Tag("docker.io/library/app:v1", l.Image(build.Image{Layers: []build.Layer{
				{Files: files}, {Files: files, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"}}}))
		},
		want: map[string]string{
			"docker":            "app:v1 | !docker-manifest",
			"podman":            "docker.io/library/app:v1 | !docker-manifest",
			"docker-containerd": "app:v1",
		},
	}, {
		name: "a foreign layer", make: func(l *build.Layout) {
			app := l.Image(build.Image{Layers: []build.Layer{{MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}}})
			l.Tag("docker.io/library/app:v1", app)
			m, _ := content.ParseManifest(app.MediaType, l.Blobs[app.Digest])
			delete(l.Blobs, m.Layers[0].Digest)
		},
		want: map[string]string{"docker": "app:v1 | !docker-manifest", "docker-containerd": "app:v1"},
	}, {
		name: "a file that k3s passes over", options: consumer.Options{File: "images"},
		make: func(l *build.Layout) { l.Tag("docker.io/library/app:v1", image(l, "linux/amd64", "app")) },
		want: map[string]string{"k3s": "docker.io/library/app:v1 | ~file-suffix", "kind": "docker.io/library/app:v1"},
	}, {
		name: "a file that k3s reads", options: consumer.Options{File: "images.tar"},
		make: func(l *build.Layout) { l.Tag("docker.io/library/app:v1", image(l, "linux/amd64", "app")) },
		want: map[string]string{"k3s": "docker.io/library/app:v1"},
	}, {
		name: "nested indexes", options: consumer.Options{Platforms: []content.Platform{amd64, arm64}},
		make: func(l *build.Layout) {
			l.Tag("docker.io/library/app:v1", l.Index(index(l, "app", "linux/s390x", "linux/arm64"), image(l, "linux/amd64", "app")))
		},
		want: map[string]string{"ctr kind": "docker.io/library/app:v1 | ~platform-wanted"},
	},
}

func TestSelect(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := build.NewLayout()
			c.make(l)
			facts := look(t, open(t, l), c.chosen)
			for consumers, want := range c.want {
				for _, who := range strings.Fields(consumers) {
					s := consumer.Select(consumer.Consumer(who), facts, c.options)
					for _, f := range facts {
						want = strings.ReplaceAll(want, "DIGEST", f.Entry.Digest.String())
					}
					if got := outcome(s); got != want {
						t.Errorf("%s gets\n %q, want\n %q\n%+v", who, got, want, append(slices.Concat(s.LeftOut, s.Changed), s.Refused...))
					}
					checkErr(t, s)
				}
			}
		})
	}
}

// checkErr holds the error of a selection to its refusals.
func checkErr(t *testing.T, s consumer.Selection) {
	t.Helper()
	err := s.Err()
	if len(s.Refused) == 0 {
		if err != nil {
			t.Error(err)
		}
		return
	}
	first := s.Refused[0]
	want := map[string]error{"platform-wanted": content.ErrNotFound, "name-wanted": content.ErrInvalid}[first.Rule]
	if want == nil {
		want = content.ErrRefused
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), first.Reason) || !strings.HasPrefix(err.Error(), first.Name) {
		t.Errorf("error %v of %+v", err, first)
	}
}

// TestEveryRuleDecides fails if no case shows what a rule does.
func TestEveryRuleDecides(t *testing.T) {
	shown := map[string]bool{}
	for _, c := range cases {
		for _, want := range c.want {
			for _, word := range strings.FieldsFunc(want, func(r rune) bool { return strings.ContainsRune(" |-~!", r) && r != '-' }) {
				shown[strings.TrimPrefix(word, "-")] = true
			}
		}
	}
	for _, r := range consumer.Rules("") {
		// plain-tar holds in all that is written; one-manifest takes the attestations along.
		if !shown[r.ID] && r.ID != "plain-tar" && r.ID != "attestation" {
			t.Errorf("no case shows %s", r.ID)
		}
	}
}
