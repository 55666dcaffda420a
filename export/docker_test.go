package export_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// TestDocker: plain layers under their diffIDs, shared ones once, names as docker
// takes them, artifacts left out.
func TestDocker(t *testing.T) {
	base := build.Layer{Files: []build.File{build.Text("base", "base")}}
	top := build.Layer{Compression: "zstd", Files: []build.File{{Name: "top", Body: build.Random(3, 2<<20)}}}
	plain := build.Layer{Compression: "none", Files: []build.File{build.Text("plain", "plain")}}
	l := build.NewLayout()
	first := l.Image(build.Image{Layers: []build.Layer{base, top}})
	l.Tag("docker.io/library/app:v1", first)
	l.Tag("registry.example:5000/team/app:v2", first)
	l.Tag("Team/app:v3", first) // a registry to docker today, and to older ones no name at all
	l.Tag("bare", l.Image(build.Image{Layers: []build.Layer{base, plain}}))
	l.Attach(first, "text/plain", []byte("x"))

	data, result := both(t, roots(t, open(t, l)), export.Options{Form: export.Docker})
	headers, bodies := members(t, data)
	images, err := docker.Parse(bodies["manifest.json"])
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 2 {
		t.Fatalf("%d images, want 2: %s", len(images), bodies["manifest.json"])
	}
	for _, image := range images {
		layers := []build.Layer{base, plain}
		if len(image.RepoTags) > 0 {
			layers = []build.Layer{base, top}
			if want := []string{"app:v1", "registry.example:5000/team/app:v2"}; !slices.Equal(image.RepoTags, want) {
				t.Errorf("tags %q, want %q", image.RepoTags, want)
			}
		}
		for i, layer := range layers {
			if !bytes.Equal(bodies[image.Layers[i]], layer.Plain()) {
				t.Errorf("%s is not layer %d", image.Layers[i], i)
			}
		}
		if !bytes.Contains(bodies[image.Config], []byte(`"diff_ids"`)) {
			t.Errorf("%s is no config", image.Config)
		}
	}
	if names := names(headers); len(names) != 7 || names[0] != "manifest.json" || names[1] != "repositories" {
		t.Errorf("members %q", names)
	}
	if len(result.LeftOut) != 1 || result.Blobs != 5 || len(result.Artifacts) != 0 {
		t.Errorf("result %+v", result)
	}
	if !bytes.Contains(bodies["repositories"], []byte(`"registry.example:5000/team/app":{"v2":"`)) {
		t.Errorf("repositories %s", bodies["repositories"])
	}
}

// TestDockerGzipSizes: a gzip file whose end does not tell its size is written all
// the same: one of several members, and one whose size is a small lie.
func TestDockerGzipSizes(t *testing.T) {
	lines := bytes.Repeat([]byte("some text that compresses well\n"), 40000)
	plain := build.Tar(build.File{Name: "text", Body: lines}, build.File{Name: "random", Body: build.Random(1, 1<<20)})
	cut := len(plain) / 2
	for name, blob := range map[string][]byte{
		"one member":      build.Compress("gzip", plain),
		"two members":     slices.Concat(build.Compress("gzip", plain[:cut]), build.Compress("gzip", plain[cut:])),
		"last one small":  slices.Concat(build.Compress("gzip", plain[:len(plain)-10]), build.Compress("gzip", plain[len(plain)-10:])),
		"last one empty":  slices.Concat(build.Compress("gzip", plain), build.Compress("gzip", nil)),
		"first one small": slices.Concat(build.Compress("gzip", plain[:512]), build.Compress("gzip", plain[512:])),
		"no gzip":         plain,
		"zstd":            build.Compress("zstd", plain),
	} {
		t.Run(name, func(t *testing.T) {
			l := build.NewLayout()
			l.Tag("docker.io/library/app:v1", l.Image(build.Image{
				Layers: []build.Layer{{Tar: plain}, {Files: []build.File{build.Text("other", "layer")}}},
				EditManifest: func(m *ocispec.Manifest) {
					m.Layers[0] = l.Put(ocispec.MediaTypeImageLayerGzip, blob)
				},
			}))
			data, _ := both(t, roots(t, open(t, l)), export.Options{Form: export.Docker})
			_, bodies := members(t, data)
			images, err := docker.Parse(bodies["manifest.json"])
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(bodies[images[0].Layers[0]], plain) {
				t.Errorf("the layer has %d other bytes, want %d", len(bodies[images[0].Layers[0]]), len(plain))
			}
		})
	}
}

// TestDockerPicks: of an index the child asked for, else linux/amd64, else the
// first that is there; layers of the others may be missing.
func TestDockerPicks(t *testing.T) {
	image := func(l *build.Layout, arch string) content.Descriptor {
		return l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: arch},
			Layers: []build.Layer{{Files: []build.File{build.Text(arch, arch)}}}})
	}
	l := build.NewLayout()
	s390, arm, amd := image(l, "s390x"), image(l, "arm64"), image(l, "amd64")
	l.Tag("docker.io/library/with:amd", l.Index(s390, arm, amd))
	l.Tag("docker.io/library/without:amd", l.Index(s390, arm))
	m, err := content.ParseManifest("", l.Blobs[arm.Digest])
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, l)
	for _, tt := range []struct {
		name      string
		platforms []content.Platform
		want      string
	}{
		{"with:amd", nil, "amd64"},
		{"without:amd", nil, "s390x"},
		{"with:amd", []content.Platform{*arm.Platform}, "arm64"},
	} {
		data, result := both(t, roots(t, r, tt.name), export.Options{Form: export.Docker, Platforms: tt.platforms})
		if want := []byte(`"architecture":"` + tt.want + `"`); !bytes.Contains(data, want) {
			t.Errorf("%s %v: not %s", tt.name, tt.platforms, tt.want)
		}
		if tt.platforms == nil && len(result.LeftOut) == 0 {
			t.Errorf("%s: nothing was left out", tt.name)
		}
	}
	delete(l.Blobs, m.Layers[0].Digest)
	_, _ = both(t, roots(t, open(t, l), "with:amd"), export.Options{Form: export.Docker})
	fails(t, roots(t, open(t, l), "with:amd"), export.Options{Form: export.Docker, Platforms: []content.Platform{*arm.Platform}}, content.ErrMissing)
}

// TestNotForDocker: what docker can't load is no docker archive, and not in the
// manifest.json of an OCI archive.
func TestNotForDocker(t *testing.T) {
	foreign := build.NewLayout()
	foreign.Tag("docker.io/library/app:v1", foreign.Image(build.Image{
		Layers: []build.Layer{{MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}}}))
	for d, data := range foreign.Blobs {
		if data[0] == 0x1f {
			delete(foreign.Blobs, d)
		}
	}
	encrypted := build.NewLayout()
	encrypted.Tag("docker.io/library/app:v1", encrypted.Image(build.Image{
		Layers: []build.Layer{{MediaType: ocispec.MediaTypeImageLayerGzip + "+encrypted"}}}))
	short := build.NewLayout()
	short.Tag("docker.io/library/app:v1", short.Image(build.Image{
		EditConfig: func(c *ocispec.Image) { c.RootFS.DiffIDs = nil }}))
	artifact := build.NewLayout()
	artifact.Tag("docker.io/library/chart:v1", artifact.Artifact("application/helm", nil, []byte("x")))
	for name, tt := range map[string]struct {
		l    *build.Layout
		want error
	}{
		"foreign": {foreign, content.ErrMissing}, "encrypted": {encrypted, content.ErrUnsupported},
		"diffIDs": {short, content.ErrCorrupt}, "artifact": {artifact, content.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			found := roots(t, open(t, tt.l), "v1")
			fails(t, found, export.Options{Form: export.Docker}, tt.want)
			data, result := both(t, found, export.Options{})
			if _, bodies := members(t, data); bodies["manifest.json"] != nil {
				t.Errorf("manifest.json: %s", bodies["manifest.json"])
			}
			if (name == "foreign") != (len(result.Absent) == 1) {
				t.Errorf("absent: %v", result.Absent)
			}
		})
	}
}

// TestWrongDiffID: a layer that is whole and not what the config says.
func TestWrongDiffID(t *testing.T) {
	l := build.NewLayout()
	l.Tag("docker.io/library/app:v1", l.Image(build.Image{EditConfig: func(c *ocispec.Image) {
		c.RootFS.DiffIDs[0] = build.Descriptor("", []byte("other")).Digest
	}}))
	found := roots(t, open(t, l))
	for _, form := range []export.Form{export.Docker, export.RootFS} {
		fails(t, found, export.Options{Form: form}, content.ErrDigest)
	}
}

// TestBomb: a layer that grows beyond the limits.
func TestBomb(t *testing.T) {
	l := build.NewLayout()
	l.Tag("docker.io/library/app:v1", l.Image(build.Image{Layers: []build.Layer{
		{Files: []build.File{{Name: "zeros", Body: make([]byte, 4<<20)}}}}}))
	found := roots(t, open(t, l))
	for _, form := range []export.Form{export.Docker, export.RootFS} {
		fails(t, found, export.Options{Form: form, Limits: content.Limits{Layer: 1 << 20}}, content.ErrRefused)
	}
}

// TestSHA512: blobs of another algorithm are proven by it.
func TestSHA512(t *testing.T) {
	l := build.NewLayout()
	m := l.Image(build.Image{EditManifest: func(m *ocispec.Manifest) {
		data := l.Blobs[m.Layers[0].Digest]
		delete(l.Blobs, m.Layers[0].Digest)
		m.Layers[0].Digest = build.SHA512(data)
		l.Blobs[m.Layers[0].Digest] = data
	}})
	l.Tag("docker.io/library/app:v1", m)
	for _, form := range []export.Form{export.OCI, export.Docker, export.RootFS} {
		_, _ = both(t, roots(t, open(t, l)), export.Options{Form: form})
	}
	for d := range l.Blobs {
		if d.Algorithm() == "sha512" {
			l.Blobs[d][20] ^= 1
		}
	}
	fails(t, roots(t, open(t, l)), export.Options{}, content.ErrDigest)
}

// TestManySmall: many members in a few writes, in their places.
func TestManySmall(t *testing.T) {
	l := build.NewLayout()
	for i := range 300 {
		l.Tag("docker.io/library/app:v"+string(rune('a'+i/26))+string(rune('a'+i%26)), l.Image(build.Image{
			Layers: []build.Layer{{Compression: "none", Files: []build.File{{Name: "f", Body: build.Random(uint64(i), i*40)}}}}}))
	}
	data, result := both(t, roots(t, open(t, l)), export.Options{})
	path := filepath.Join(t.TempDir(), "l.tar")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := export.ToFile(context.Background(), path+"2", roots(t, openPath(t, path)), export.Options{})
	if err != nil || again.Bytes != result.Bytes || result.Blobs != len(l.Blobs) {
		t.Errorf("again: %d of %d bytes, %d of %d blobs: %v", again.Bytes, result.Bytes, result.Blobs, len(l.Blobs), err)
	}
}
