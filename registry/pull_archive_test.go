package registry_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// ownTemp gives the test a directory for temporary files, which is empty in the end.
func ownTemp(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// TestPullToFile: an archive that was pulled is the one that a layout would give, and
// costs as many requests as to pull that.
func TestPullToFile(t *testing.T) {
	ownTemp(t)
	arm := content.Platform{OS: "linux", Architecture: "arm64"}
	for name, o := range map[string]registry.PullOptions{
		"all": {}, "without referrers": {NoReferrers: true}, "one platform": {Platforms: []content.Platform{arm}},
	} {
		t.Run(name, func(t *testing.T) {
			reg, ro := fakeregistry.New(t), quick(t)
			built, app := family()
			push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
			five, _ := fiveLayers()
			push(t, reader(t, five), "v1", at(t, reg, "five:v1"), ro, registry.PushOptions{})
			wants := []registry.Want{{From: at(t, reg, "app:v1"), Name: "app"}, {From: at(t, reg, "five:v1")}}

			reg.Requests()
			dst := writable(t)
			if _, err := registry.PullAll(t.Context(), session(ro), wants, dst, o); err != nil {
				t.Fatal(err)
			}
			requests := len(reg.Requests())
			var want bytes.Buffer
			roots := []export.Root{{Source: dst.Reader}}
			there, err := export.ToWriter(t.Context(), &want, roots, export.Options{})
			if err != nil {
				t.Fatal(err)
			}

			path := filepath.Join(t.TempDir(), "images.tar")
			report, err := registry.PullToFile(t.Context(), session(ro), wants, path, registry.ArchiveOptions{PullOptions: o, NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			wantRequests(t, reg, "into a file", requests)
			got, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(got, want.Bytes()) {
				t.Errorf("the file has %d bytes, the export of a layout %d, %v", len(got), want.Len(), err)
			}
			if len(report.Images) != 2 || report.Referrers != there.Referrers || report.Blobs != there.Blobs || report.Digest != "" {
				t.Errorf("got %+v, want %+v", report, there)
			}
			var stream bytes.Buffer
			report, err = registry.PullToWriter(t.Context(), session(ro), wants[:1], &stream, registry.ArchiveOptions{PullOptions: o})
			if err != nil || report.Digest != app.Digest || int64(stream.Len()) != report.Bytes {
				t.Errorf("%d bytes, %+v, %v", stream.Len(), report, err)
			}
		})
	}
}

// TestPullToFileFails: what is not whole and proven has no name.
func TestPullToFileFails(t *testing.T) {
	ownTemp(t)
	built, d := fiveLayers()
	m, err := content.ParseManifest(d.MediaType, built.Blobs[d.Digest])
	if err != nil {
		t.Fatal(err)
	}
	layer := m.Layers[2].Digest
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"a layer is gone":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, content.ErrMissing},
		"a layer is wrong": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, m.Layers[2].Size)) }, content.ErrDigest},
		"a layer is short": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(built.Blobs[layer][:1000]) }, content.ErrSize},
	} {
		reg, ro := fakeregistry.New(t), quick(t)
		push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
		reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, layer.String()) {
				return false
			}
			test.answer(w, r)
			return true
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "images.tar")
		if err := os.WriteFile(path, []byte("as it was"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := registry.PullToFile(t.Context(), session(ro), []registry.Want{{From: at(t, reg, "app:v1")}}, path, registry.ArchiveOptions{})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
			t.Errorf("%s: there are %v, %v", name, files, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "as it was" {
			t.Errorf("%s: the file is another, %v", name, err)
		}
	}
	reg, ro := fakeregistry.New(t), quick(t)
	if _, err := registry.PullToFile(t.Context(), session(ro), []registry.Want{{From: at(t, reg, "app:v1")}}, filepath.Join(t.TempDir(), "x"), registry.ArchiveOptions{}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestPullToFileReads: the archive can be read as a layout.
func TestPullToFileReads(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built, app := family()
	push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	path := filepath.Join(t.TempDir(), "app.tar")
	if _, err := registry.PullToFile(t.Context(), session(ro), []registry.Want{{From: at(t, reg, "app:v1"), Name: "app"}}, path, registry.ArchiveOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: app, Recursive: true})
	if err := errors.Join(err, r.Close()); err != nil || len(found) != 2 {
		t.Errorf("got %v, %v", found, err)
	}
}
