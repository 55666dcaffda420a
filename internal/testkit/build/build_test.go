package build_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// TestDeterministic: equal calls give equal bytes, in every form.
func TestDeterministic(t *testing.T) {
	forms := map[string]func() []byte{
		"layout": func() []byte {
			l := build.Hello()
			l.Attach(l.Entries[0], "text/plain", build.Random(1, 100))
			return l.Tar()
		},
		"docker": func() []byte {
			return build.Tar(build.DockerArchive(build.DockerImage{Tags: []string{"a:1", "b:1"}})...)
		},
		"docker25": func() []byte { return build.Tar(build.Docker25Archive(build.Hello())...) },
	}
	for name, form := range forms {
		if !bytes.Equal(form(), form()) {
			t.Errorf("%s: two calls differ", name)
		}
	}
}

// TestLayout: every blob of a directory has the digest it is named by, and the
// archive holds the same files.
func TestLayout(t *testing.T) {
	l := build.NewLayout()
	amd := l.Image(build.Image{})
	arm := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}, Docker: true,
		Layers: []build.Layer{{Compression: "zstd"}, {Compression: "none"}}})
	l.Tag("docker.io/library/app:v1", l.Index(amd, arm))
	dir := t.TempDir()
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(l.Tar()))
	blobs := 0
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		onDisk, err := os.ReadFile(filepath.Join(dir, h.Name))
		if err != nil {
			t.Fatal(err)
		}
		inTar, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(onDisk, inTar) {
			t.Errorf("%s differs between directory and archive (%v)", h.Name, err)
		}
		if filepath.Dir(h.Name) == "blobs/sha256" {
			blobs++
			if want := build.BlobPath(build.Descriptor("", inTar).Digest); want != h.Name {
				t.Errorf("%s holds the bytes of %s", h.Name, want)
			}
		}
	}
	if want := 8; blobs != want { // index, 2 manifests, 2 configs, 3 layers
		t.Errorf("%d blobs, want %d", blobs, want)
	}
}

func TestMendSums(t *testing.T) {
	whole := build.Tar(build.File{Name: "a/b", Body: []byte("ustar")}, build.File{Name: "c", Body: make([]byte, 2000)})
	if !bytes.Equal(build.MendSums(whole), whole) {
		t.Error("a sound archive is changed")
	}
	broken := bytes.Clone(whole)
	broken[0] = 'x'
	h, err := tar.NewReader(bytes.NewReader(build.MendSums(broken))).Next()
	if err != nil || h.Name != "x/b" || broken[0] != 'x' {
		t.Errorf("%+v, %v", h, err)
	}
	build.MendSums(whole[:700])
}
