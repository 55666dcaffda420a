package interop

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// The names of the images in everything: one tag in two repositories.
const (
	appName = "registry.example/team/app:v1"
	dbName  = "registry.example/team/db:v1"
)

// everything returns a layout with all that an archive may hold: two images of two
// platforms each, whose tags are equal, a BuildKit attestation among the platforms
// of the first, and a signature in cosign's tag, and an SBOM as referrers of it.
func everything(t testing.TB) string {
	t.Helper()
	made, dir := filepath.Join(t.TempDir(), "made"), newLayout(t)
	l := build.NewLayout()
	amd64, arm64 := l.Image(packaged("app", "amd64")), l.Image(packaged("app", "arm64"))
	app := l.Index(amd64, arm64, attestation(l, amd64))
	l.Tag(appName, app)
	l.Tag(dbName, l.Index(l.Image(packaged("db", "amd64")), l.Image(packaged("db", "arm64"))))
	l.Attach(app, "application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`))
	l.Tag(build.FallbackTag(app.Digest)+".sig", unpackable(l, content.Platform{}, l.Put("application/vnd.dev.cosign.simplesigning.v1+json",
		fmt.Appendf(nil, `{"critical":{"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, app.Digest))))
	if err := l.WriteDir(made); err != nil {
		t.Fatal(err)
	}
	us(t, "copy", made, dir)
	return dir
}

// packaged is an image with a Debian package in it, and a program for any platform.
func packaged(name, arch string) build.Image {
	return build.Image{
		Platform: content.Platform{OS: "linux", Architecture: arch},
		Layers: []build.Layer{
			{Files: []build.File{
				build.Dir("etc"), build.Text("etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=Debian\n"),
				build.Dir("var"), build.Dir("var/lib"), build.Dir("var/lib/dpkg"),
				build.Text("var/lib/dpkg/status", "Package: "+name+"-on-"+arch+"\nStatus: install ok installed\n"+
					"Maintainer: None <none@example.com>\nArchitecture: "+arch+"\nVersion: 1.2-3\nDescription: "+name+"\n\n"),
			}},
			{Files: []build.File{build.Dir("etc"), build.Text("etc/motd", name+" on "+arch+"\n")}},
		},
		EditConfig: func(c *ocispec.Image) { c.Config.Entrypoint = []string{"/bin/" + name} },
	}
}

// attestation is BuildKit's manifest of a statement about an image, which stands
// beside the image in its index.
func attestation(l *build.Layout, of content.Descriptor) content.Descriptor {
	unknown := content.Platform{OS: "unknown", Architecture: "unknown"}
	d := unpackable(l, unknown, l.Put("application/vnd.in-toto+json", fmt.Appendf(nil,
		`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app","digest":{"sha256":%q}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{}}`,
		of.Digest.Encoded())))
	d.Platform = &unknown
	d.Annotations = map[string]string{
		"vnd.docker.reference.type":   "attestation-manifest",
		"vnd.docker.reference.digest": of.Digest.String(),
	}
	return d
}

// unpackable is a manifest that looks like an image's and holds no filesystem.
func unpackable(l *build.Layout, p content.Platform, layer content.Descriptor) content.Descriptor {
	return l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: l.JSON(ocispec.MediaTypeImageConfig, ocispec.Image{
			Platform: p, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{layer.Digest}},
		}),
		Layers: []content.Descriptor{layer},
	})
}

// exported returns the archive of a whole layout.
func exported(t testing.TB, layout string, flags ...string) string {
	t.Helper()
	archive := file(t, "archive.tar")
	us(t, append([]string{"export", layout, archive}, flags...)...)
	return archive
}

// configDigest is the digest of an image's config for a platform, which is the ID that
// docker's classic store and podman give the image.
func configDigest(t testing.TB, ref, platform string) string {
	t.Helper()
	return build.Descriptor("", []byte(us(t, "inspect", ref, "--config", "--platform", platform))).Digest.String()
}

// TestEverythingComesBack: an archive of everything, imported, is the same.
func TestEverythingComesBack(t *testing.T) {
	layout, back := everything(t), newLayout(t)
	us(t, "import", exported(t, layout), back)
	us(t, "diff", layout, back)
	wantSame(t, "index.json in canonical form", us(t, "ls", back, "--all", "--format", "json"),
		strings.TrimSpace(us(t, "ls", layout, "--all", "--format", "json")))
	for platform, want := range map[string][]string{
		"":            {"application/spdx+json", "application/vnd.dev.cosign.simplesigning.v1+json"},
		"linux/amd64": {"application/vnd.in-toto+json"},
	} {
		list := func(layout string) string {
			return us(t, "referrers", layout+":"+appName, "--platform", platform, "--legacy", "--format", "json")
		}
		wantTypes(t, "referrers "+platform, typesIn(t, list(layout), "manifests"), want...)
		wantSame(t, "referrers that came back", list(back), strings.TrimSpace(list(layout)))
	}
}

// TestEverythingDocker: the classic store takes one platform of each image.
func TestEverythingDocker(t *testing.T) {
	d, layout := startDocker(t), everything(t)
	d.run("load", "-i", exported(t, layout))
	want := map[string]string{}
	for _, name := range []string{appName, dbName} {
		want[name] = configDigest(t, layout+":"+name, "linux/amd64")
	}
	if got := d.list(); !maps.Equal(got, want) {
		t.Errorf("docker holds %v, want %v", got, want)
	}
}

func TestEverythingPodman(t *testing.T) {
	p, layout := newPodman(t), everything(t)
	p.run("load", "-q", "-i", exported(t, layout))
	wantSame(t, "names", p.run("images", "--format", "{{.Repository}}:{{.Tag}}", "--sort", "repository"), appName+"\n"+dbName)
	for _, name := range []string{appName, dbName} {
		wantSame(t, name, "sha256:"+p.run("image", "inspect", "-f", "{{.Id}}", name), configDigest(t, layout+":"+name, "linux/amd64"))
	}
}

// TestEverythingContainerd: ctr imports whole indexes. With kind's flags, version 1
// takes the artifacts for images too, and fails; version 2 passes over them.
func TestEverythingContainerd(t *testing.T) {
	layout := everything(t)
	archive, want := exported(t, layout), map[string]string{}
	for _, name := range []string{appName, dbName} {
		want[name] = digest(t, layout+":"+name)
	}
	holds := func(t *testing.T, c containerd) {
		t.Helper()
		got := c.images()
		maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, "import-") })
		if !maps.Equal(got, want) {
			t.Errorf("containerd holds %v, want %v", got, want)
		}
	}
	t.Run("1", func(t *testing.T) {
		c := startContainerd(t, "containerd", "ctr", 2)
		c.load(archive)
		holds(t, c)
		if out, err := c.importing(archive, kind...).CombinedOutput(); err == nil {
			t.Errorf("took artifacts with kind's flags: %s", out)
		}
		c.remove()
		pipe(t, c.importing(exported(t, layout, "--no-referrers"), kind...))
		holds(t, c)
	})
	t.Run("2", func(t *testing.T) {
		c := startContainerd(t, "containerd2", "ctr2", 3)
		for name, load := range map[string]*exec.Cmd{
			"in the client":              c.importing(archive),
			"in the client, as kind":     c.importing(archive, kind...),
			"by the transfer service":    c.command("images", "import", archive),
			"by the service, as kind":    c.command(slices.Concat([]string{"images", "import"}, kind, []string{archive})...),
			"without referrers, as kind": c.importing(exported(t, layout, "--no-referrers"), kind...),
		} {
			t.Run(name, func(t *testing.T) {
				c.t = t
				pipe(t, load)
				holds(t, c)
				c.remove()
			})
		}
	})
}

// TestEverythingSkopeo reads through both of skopeo's transports. Of two equal tags
// one stands for itself in ref.name, the other has its full name there.
func TestEverythingSkopeo(t *testing.T) {
	skopeo, layout := testkit.Client(t, "skopeo"), everything(t)
	archive := exported(t, layout)
	for name, inOCI := range map[string]string{appName: "v1", dbName: dbName} {
		wantSame(t, name, rawDigest(t, skopeo, "oci-archive:"+archive+":"+inOCI), digest(t, layout+":"+name))
		wantSame(t, name, rawDigest(t, skopeo, "oci:"+layout+":"+inOCI), digest(t, layout+":"+name))
		copies(t, skopeo, "oci-archive:"+archive+":"+inOCI)
		copies(t, skopeo, "docker-archive:"+archive+":"+name)
		all := filepath.Join(t.TempDir(), "all")
		run(t, skopeo, "copy", "-q", "--all", "oci-archive:"+archive+":"+inOCI, "dir:"+all)
		wantSame(t, "copied with all its platforms", "sha256:"+strings.Fields(run(t, "sha256sum", filepath.Join(all, "manifest.json")))[0],
			digest(t, layout+":"+name))
	}
}

// TestEverythingCrane: crane reads one image of an archive and all of a directory; it
// has no way to pick an entry of several.
func TestEverythingCrane(t *testing.T) {
	crane, layout := testkit.Client(t, "crane"), everything(t)
	repo := registry(t, testkit.Client(t, "registry")) + "/all"
	unpacked := filepath.Join(t.TempDir(), "unpacked")
	us(t, "import", exported(t, layout), unpacked)
	for name, dir := range map[string]string{"layout": layout, "unpacked": unpacked} {
		run(t, crane, "push", "--insecure", "--index", dir, repo+":"+name)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	run(t, "mkdir", plain)
	run(t, "tar", "-C", plain, "-xf", exported(t, layout))
	run(t, crane, "push", "--insecure", "--index", plain, repo+":archive")
	for _, name := range []string{appName, dbName} {
		image, one := layout+":"+name, newLayout(t)
		run(t, crane, "validate", "--tarball", exported(t, image))
		us(t, "copy", image, one, "--no-referrers")
		tag := repo + ":" + filepath.Base(strings.TrimSuffix(name, ":v1"))
		run(t, crane, "push", "--insecure", one, tag)
		wantSame(t, name, run(t, crane, "digest", "--insecure", tag), digest(t, image))
		run(t, crane, "validate", "--insecure", "--remote", repo+"@"+digest(t, image), "--platform", "linux/arm64")
	}
}

// TestEverythingRegctl: regctl picks an entry of an archive by its ref.name.
func TestEverythingRegctl(t *testing.T) {
	regctl, layout := regctl(t), everything(t)
	archive, read := exported(t, layout), newLayout(t)
	regctl(t, "image", "import", "--name", "v1", "ocidir://"+read+":app", archive)
	regctl(t, "image", "import", "--name", dbName, "ocidir://"+read+":db", archive)
	wantSame(t, appName, digest(t, read+":app"), digest(t, layout+":"+appName))
	wantSame(t, dbName, digest(t, read+":db"), digest(t, layout+":"+dbName))
}

// TestEverythingOras reads the archive in place, with what refers to its images.
func TestEverythingOras(t *testing.T) {
	oras, layout := testkit.Client(t, "oras"), everything(t)
	archive, copied := exported(t, layout), newLayout(t)
	wantSame(t, appName, run(t, oras, "resolve", "--oci-layout", archive+":v1"), digest(t, layout+":"+appName))
	wantSame(t, dbName, run(t, oras, "resolve", "--oci-layout-path", archive, dbName), digest(t, layout+":"+dbName))
	want := typesIn(t, us(t, "referrers", layout+":"+appName, "--format", "json"), "manifests")
	wantTypes(t, "oras discover", typesIn(t, run(t, oras, "discover", "--format", "json", "--oci-layout", archive+":v1"), "referrers"), want...)

	run(t, oras, "cp", "--no-tty", "-r", "--from-oci-layout", archive+":v1", "--to-oci-layout", copied+":v1")
	wantSame(t, "copied", digest(t, copied+":v1"), digest(t, layout+":"+appName))
	wantTypes(t, "copied", referrerTypes(t, copied+":v1"), want...)
}
