package artifact_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/tarx"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

const (
	fluxSource   = "https://example.com/app.git"
	fluxRevision = "main@sha1:3c5b1f"
)

func manifests() []build.File {
	return []build.File{
		build.Text("kustomization.yaml", "resources: [app/deploy.yaml]\n"),
		build.Text("app/deploy.yaml", "kind: Deployment\n"),
		{Name: "app/run.sh", Body: []byte("#!/bin/sh\n")},
		build.Symlink("app/again.yaml", "deploy.yaml"),
		build.Dir("empty"),
		build.Text(".git/config", "secret"),
		build.Text(".gitignore", "x"),
		build.Text("app/picture.png", "png"),
		build.Text("old.tar.gz", "gz"),
	}
}

func TestFlux(t *testing.T) {
	l := open(t, testkit.Layout(t, nil))
	var digests []content.Digest
	for i, mode := range []os.FileMode{0o644, 0o600} {
		dir := tree(t, manifests()...)
		path := filepath.Join(dir, "app/deploy.yaml")
		run := filepath.Join(dir, "app/run.sh")
		if err := errors.Join(os.Chmod(path, mode), os.Chmod(run, mode|0o100), os.Chtimes(path, time.Time{}, time.Unix(int64(i)*1e6, 0))); err != nil {
			t.Fatal(err)
		}
		o, err := artifact.Flux(t.Context(), dir, fluxSource, fluxRevision)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := artifact.Put(t.Context(), l, "deploy", o, layout.Overwrite)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, stored.Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("%s, and with another mode and time %s", digests[0], digests[1])
	}
	m, _, err := content.FetchManifest(t.Context(), l, resolve(t, l, "deploy"), l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"org.opencontainers.image.source": fluxSource, "org.opencontainers.image.revision": fluxRevision}
	if m.Config.MediaType != artifact.MediaTypeFluxConfig || m.ArtifactType != "" || m.Layers[0].MediaType != artifact.MediaTypeFluxContent || !maps.Equal(m.Annotations, want) {
		t.Errorf("%+v", m)
	}
	plain := fluxContent(t, l, m)
	config, err := content.FetchAll(t.Context(), l, *m.Config, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var image struct {
		RootFS struct {
			DiffIDs []content.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &image); err != nil || !slices.Equal(image.RootFS.DiffIDs, []content.Digest{plain}) {
		t.Errorf("config %s: %v, want the diffID %s", config, err, plain)
	}
}

// fluxContent checks the members of the layer and gives the digest of its tar.
func fluxContent(t *testing.T, l *layout.Layout, m content.Manifest) content.Digest {
	t.Helper()
	rc, err := l.Fetch(t.Context(), m.Layers[0])
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	gz, err := compress.NewReader(rc, compress.Gzip, compress.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer gz.Close()
	hash := digest.SHA256.Digester()
	r := tarx.NewReader(io.TeeReader(gz, hash.Hash()), tarx.Limits{})
	var members []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, h.FileInfo().Mode().String()+" "+h.Name)
	}
	if _, err := io.Copy(hash.Hash(), gz); err != nil {
		t.Fatal(err)
	}
	want := []string{"drwxr-xr-x app", "Lrwxrwxrwx app/again.yaml", "-rw-r--r-- app/deploy.yaml", "-rwxr-xr-x app/run.sh", "drwxr-xr-x empty", "-rw-r--r-- kustomization.yaml"}
	if !slices.Equal(members, want) {
		t.Errorf("members %q, want %q", members, want)
	}
	return hash.Digest()
}

func TestFluxRefused(t *testing.T) {
	for _, test := range []struct {
		name             string
		dir              string
		source, revision string
		want             error
	}{
		{"no source", tree(t), "", "x", content.ErrInvalid},
		{"no revision", tree(t), "x", "", content.ErrInvalid},
		{"absent", filepath.Join(t.TempDir(), "absent"), "x", "x", content.ErrNotFound},
		{"a file", testkit.File(t, "x", nil), "x", "x", content.ErrInvalid},
		{"link outside", tree(t, build.Symlink("x", "../y")), "x", "x", content.ErrRefused},
		{"absolute link", tree(t, build.Symlink("x", "/etc/passwd")), "x", "x", content.ErrRefused},
	} {
		if _, err := artifact.Flux(t.Context(), test.dir, test.source, test.revision); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestFluxChanged(t *testing.T) {
	dir := tree(t, manifests()...)
	o, err := artifact.Flux(t.Context(), dir, fluxSource, fluxRevision)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := open(t, testkit.Layout(t, nil))
	if _, err := artifact.Put(t.Context(), l, "deploy", o, layout.Fail); !errors.Is(err, content.ErrConflict) {
		t.Errorf("error %v, want a conflict", err)
	}
	if _, err := l.Resolve(t.Context(), "deploy"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("deploy is there: %v", err)
	}
}
