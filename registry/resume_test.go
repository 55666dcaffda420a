package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

const bigBlob = 16 << 20

// bigImage is a registry with an image whose one layer is large, and the layer's bytes.
func bigImage(t *testing.T) (*fakeregistry.Registry, registry.Reference, []byte) {
	t.Helper()
	reg := fakeregistry.New(t)
	built := build.NewLayout()
	d := built.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("big", string(build.Random(3, bigBlob)))}}}})
	built.Tag("v1", d)
	push(t, reader(t, built), "v1", at(t, reg, "app:v1"), quick(t), registry.PushOptions{})
	m, err := content.ParseManifest(d.MediaType, built.Blobs[d.Digest])
	if err != nil {
		t.Fatal(err)
	}
	return reg, at(t, reg, "app:v1"), built.Blobs[m.Layers[0].Digest]
}

// cutAt sends the first part of each large blob and then nothing any more; cut is called
// once that is out.
func cutAt(reg *fakeregistry.Registry, blob []byte, part int, cut func(r *http.Request)) {
	reg.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, build.Descriptor("", blob).Digest.String()) {
			return false
		}
		if r.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(blob)))
		_, _ = w.Write(blob[:part])
		w.(http.Flusher).Flush()
		cut(r)
		return true
	})
}

func pullOnce(t *testing.T, dir string, from registry.Reference) error {
	t.Helper()
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = registry.Pull(t.Context(), session(quick(t)), from, l, registry.PullOptions{Name: "app"})
	if closeErr := l.Close(); closeErr != nil {
		t.Fatal(closeErr)
	}
	return err
}

func wantSent(t *testing.T, reg *fakeregistry.Registry, blob []byte, percent int64) {
	t.Helper()
	if got := reg.Sent(); got*100 > percent*int64(len(blob)) {
		t.Errorf("%d bytes of %d were sent again, more than %d %%", got, len(blob), percent)
	}
}

// TestResumeAcrossRuns: a pull that ended at 60 % of a blob is taken up by the next.
func TestResumeAcrossRuns(t *testing.T) {
	reg, from, blob := bigImage(t)
	cutAt(reg, blob, len(blob)*6/10, func(*http.Request) {})
	dir := testkit.Layout(t, nil)
	if err := pullOnce(t, dir, from); !errors.Is(err, registry.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	reg.SetFault(nil)
	reg.Sent()
	if err := pullOnce(t, dir, from); err != nil {
		t.Fatal(err)
	}
	wantSent(t, reg, blob, 45)
	reg.Requests()
	if err := pullOnce(t, dir, from); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, reg, "pull again", 3)
	if left, err := filepath.Glob(filepath.Join(dir, ".ocilayout", "staging", "*")); err != nil || len(left) > 0 {
		t.Errorf("left in staging: %q, %v", left, err)
	}
}

// TestResumeWithoutRanges: a registry that sends all from the start is no worse than that.
func TestResumeWithoutRanges(t *testing.T) {
	reg, from, blob := bigImage(t)
	cutAt(reg, blob, len(blob)*6/10, func(*http.Request) {})
	dir := testkit.Layout(t, nil)
	if err := pullOnce(t, dir, from); !errors.Is(err, registry.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"none":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(blob) },
		"beyond": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) },
	} {
		asked := 0
		reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			asked++
			answer(w, r)
			return true
		}
		target := testkit.Layout(t, nil)
		if err := os.CopyFS(filepath.Join(target, ".ocilayout"), os.DirFS(filepath.Join(dir, ".ocilayout"))); err != nil {
			t.Fatal(err)
		}
		if err := pullOnce(t, target, from); err != nil || asked != 1 {
			t.Errorf("%s: %v, and a part was asked for %d times", name, err, asked)
		}
	}
}

// TestKilledPull: the same for a process that is killed.
func TestKilledPull(t *testing.T) {
	if target := os.Getenv("PULL_INTO"); target != "" {
		from, err := registry.ParseReference(os.Getenv("PULL_FROM"))
		if err != nil {
			t.Fatal(err)
		}
		t.Fatal(pullOnce(t, target, from)) // it does not come so far
	}
	reg, from, blob := bigImage(t)
	part := len(blob) * 6 / 10
	dir := testkit.Layout(t, nil)
	killed := exec.Command(os.Args[0], "-test.run=^TestKilledPull$")
	killed.Env = append(os.Environ(), "PULL_INTO="+dir, "PULL_FROM="+from.String())
	started := make(chan *os.Process, 1)
	cutAt(reg, blob, part, func(*http.Request) {
		if !grows(dir, int64(part)) {
			t.Error("what was sent did not come to the disk")
		}
		if err := (<-started).Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	started <- killed.Process
	if err := killed.Wait(); err == nil {
		t.Error("it was not killed")
	}
	reg.SetFault(nil)
	reg.Sent()
	if err := pullOnce(t, dir, from); err != nil {
		t.Fatal(err)
	}
	wantSent(t, reg, blob, 45)
}

// grows waits until a staged file has so many bytes.
func grows(dir string, size int64) bool {
	for range 1000 {
		files, _ := filepath.Glob(filepath.Join(dir, ".ocilayout", "staging", "*", "partial-*"))
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.Size() >= size {
				return true
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
