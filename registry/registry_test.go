package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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

// fiveLayers is a layout of the image v1 of five layers, of 100 kB each.
func fiveLayers() (*build.Layout, content.Descriptor) {
	l := build.NewLayout()
	var layers []build.Layer
	for i := range 5 {
		layers = append(layers, build.Layer{Files: []build.File{build.Text(fmt.Sprint("file", i), string(build.Random(uint64(i), 100_000)))}})
	}
	d := l.Image(build.Image{Layers: layers})
	l.Tag("v1", d)
	return l, d
}

// family is a layout of an index, with referrers of it, of a child, and of a referrer,
// and what cosign made.
func family() (*build.Layout, content.Descriptor) {
	l := build.NewLayout()
	amd, arm := l.Image(build.Image{}), l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	app := l.Index(amd, arm)
	l.Tag("app", app)
	sbom := l.Attach(app, "a/sbom", []byte("sbom"))
	l.Attach(sbom, "a/signature", []byte("signature of the sbom"))
	l.Attach(arm, "a/report", []byte("report on arm64"))
	l.Tag("sha256-"+amd.Digest.Encoded()+".att", l.Artifact("a/cosign", nil, []byte("attestation")))
	return l, app
}

func reader(t *testing.T, l *build.Layout) *layout.Reader {
	t.Helper()
	r, err := layout.OpenReader(testkit.Layout(t, l), layout.Options{})
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

func writable(t *testing.T) *layout.Layout {
	t.Helper()
	l, err := layout.Open(testkit.Layout(t, nil), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// quick fails soon, and finds no credentials and no mirrors.
func quick(t *testing.T) registry.Options {
	return registry.Options{AuthFile: filepath.Join(t.TempDir(), "none.json"), RegistriesConf: os.DevNull, Pause: time.Millisecond, Stall: 200 * time.Millisecond}
}

func session(o registry.Options) *registry.Session { return registry.NewSession(o, nil) }

func at(t *testing.T, reg *fakeregistry.Registry, repo string) registry.Reference {
	t.Helper()
	ref, err := registry.ParseReference(reg.Host() + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func push(t *testing.T, src *layout.Reader, name string, to registry.Reference, ro registry.Options, o registry.PushOptions) registry.PushReport {
	t.Helper()
	done, err := registry.Push(t.Context(), session(ro), src, layout.Reference{Name: name}, to, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func wantRequests(t *testing.T, reg *fakeregistry.Registry, what string, want int) {
	t.Helper()
	if got := reg.Requests(); len(got) != want {
		t.Errorf("%s: %d requests, want %d:\n%s", what, len(got), want, strings.Join(got, "\n"))
	}
}

// TestRequests holds the numbers of docs/registries.md.
func TestRequests(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built, d := fiveLayers()
	src, alone := reader(t, built), registry.PushOptions{NoReferrers: true}

	done := push(t, src, "v1", at(t, reg, "app:v1"), ro, alone)
	wantRequests(t, reg, "push to an empty repository", 14)
	if done.Blobs != 6 || done.Digest != d.Digest || !slices.Equal(reg.Manifest("app", "v1"), built.Blobs[d.Digest]) {
		t.Errorf("got %+v", done)
	}
	push(t, src, "v1", at(t, reg, "app:v1"), ro, alone)
	wantRequests(t, reg, "push again", 1)
	push(t, src, "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	wantRequests(t, reg, "push again, with referrers", 1)
	if done = push(t, src, "v1", at(t, reg, "app:v2"), ro, alone); done.Mounted != 6 {
		t.Errorf("another tag: %+v", done)
	}
	wantRequests(t, reg, "push under another tag", 8)
	push(t, src, "v1", at(t, reg, "other:v1"), ro, registry.PushOptions{NoReferrers: true, MountFrom: "app"})
	wantRequests(t, reg, "push with all blobs mounted", 8)

	dst := writable(t)
	for i, want := range []int{7, 1} {
		if _, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{NoReferrers: true}); err != nil {
			t.Fatal(err)
		}
		wantRequests(t, reg, fmt.Sprint("pull ", i+1), want)
	}
	if _, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, reg, "pull again, with referrers", 3)

	built, d = fiveLayers()
	built.Attach(d, "a/sbom", []byte("sbom"))
	src = reader(t, built)
	push(t, src, "v1", at(t, reg, "signed:v1"), ro, registry.PushOptions{})
	wantRequests(t, reg, "push with an SBOM", 19)
	push(t, src, "v1", at(t, reg, "signed:v1"), ro, registry.PushOptions{})
	wantRequests(t, reg, "push again with an SBOM", 2)
	dst = writable(t)
	for i, want := range []int{13, 4} {
		if _, err := registry.Pull(t.Context(), session(ro), at(t, reg, "signed:v1"), dst, registry.PullOptions{}); err != nil {
			t.Fatal(err)
		}
		wantRequests(t, reg, fmt.Sprint("pull with an SBOM ", i+1), want)
	}
}

// TestFamily: an index comes back as it went, with all that belongs to it, whether or
// not the registry has the referrers API.
func TestFamily(t *testing.T) {
	for _, lacking := range []bool{false, true} {
		reg, ro := fakeregistry.New(t), quick(t)
		reg.NoReferrers = lacking
		built, app := family()
		src := reader(t, built)
		done := push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{Tags: []string{"latest"}})
		if done.Referrers != 4 || len(done.Changes) != 3 {
			t.Errorf("pushed %+v", done)
		}
		if lists := len(reg.Tags("app")) - 3; lacking && lists != 3 || !lacking && lists != 0 {
			t.Errorf("tags are %v", reg.Tags("app"))
		}
		if done = push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{}); done.Changed() {
			t.Errorf("pushed again: %+v", done)
		}
		dst := writable(t)
		report, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{Name: "app"})
		if err != nil {
			t.Fatal(err)
		}
		if report.Referrers != 4 {
			t.Errorf("pulled %+v", report)
		}
		diff, err := layout.Diff(t.Context(), src, dst.Reader, layout.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !diff.Equal {
			t.Errorf("without the API %v: %+v", lacking, diff)
		}
		if got, err := dst.Resolve(t.Context(), "app"); err != nil || got.Digest != app.Digest {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// TestFaults: what a registry does wrong for a while is overcome, and what it does
// wrong for good gets no name.
func TestFaults(t *testing.T) {
	built, d := fiveLayers()
	m, err := content.ParseManifest(d.MediaType, built.Blobs[d.Digest])
	if err != nil {
		t.Fatal(err)
	}
	layer := "/blobs/" + m.Layers[2].Digest.String()
	whole := built.Blobs[m.Layers[2].Digest]
	for name, test := range map[string]struct {
		fault func(n int, w http.ResponseWriter, r *http.Request) bool
		on    string
		want  error
	}{
		"truncates once": {func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 0 {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			_, _ = w.Write(whole[:1000])
			return true
		}, layer, nil},
		"stalls once": {func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n > 0 {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			_, _ = w.Write(whole[:1000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, layer, nil},
		"truncates each time": {func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			panic(http.ErrAbortHandler)
		}, layer, registry.ErrUnavailable},
		"has no ranges": {func(n int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			_, _ = w.Write(whole[:min(len(whole), 1000+n*60_000)])
			return true
		}, layer, nil},
		"drops the connection once": {func(n int, _ http.ResponseWriter, _ *http.Request) bool {
			if n == 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		}, "/manifests/v1", nil},
		"stalls each time": {func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, layer, registry.ErrUnavailable},
		"redirects into the void": {func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://127.0.0.1:1/?signature=secret", http.StatusTemporaryRedirect)
			return true
		}, layer, registry.ErrUnavailable},
		"corrupts": {func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			bad := slices.Clone(whole)
			bad[len(bad)/2] ^= 1
			_, _ = w.Write(bad)
			return true
		}, layer, content.ErrDigest},
		"is short":               {write(whole[:1000]), layer, content.ErrSize},
		"is long":                {write(append(slices.Clone(whole), 0)), layer, content.ErrSize},
		"lacks a layer":          {status(404, 100), layer, content.ErrMissing},
		"limits once":            {status(429, 2), layer, nil},
		"limits":                 {status(429, 100), "/manifests/v1", registry.ErrRateLimited},
		"fails":                  {status(503, 100), "/manifests/v1", registry.ErrUnavailable},
		"denies":                 {status(403, 100), "/manifests/v1", registry.ErrDenied},
		"wants credentials":      {status(401, 100), "/manifests/v1", registry.ErrUnauthorized},
		"has no such":            {status(404, 100), "/manifests/v1", content.ErrNotFound},
		"limits referrers":       {status(429, 100), "/referrers/", registry.ErrRateLimited},
		"fails at referrers":     {status(500, 100), "/referrers/", registry.ErrUnavailable},
		"another image under it": {write([]byte(`{"schemaVersion":2,"mediaType":"x"}`)), "/manifests/v1", content.ErrUnsupported},
		"no manifest at all":     {write([]byte(`<html>`)), "/manifests/v1", content.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			reg, ro := fakeregistry.New(t), quick(t)
			push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
			n := 0
			reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, test.on) {
					return false
				}
				n++
				return test.fault(n-1, w, r)
			}
			dst := writable(t)
			_, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("more than a line, or more than it may tell: %v", err)
			}
			_, err = dst.Resolve(t.Context(), "v1")
			if (err == nil) != (test.want == nil) {
				t.Errorf("the name: %v", err)
			}
		})
	}
}

// TestOtherManifests: a registry that has another manifest under a digest, of the image or
// of a child, is found out, and one that does not say what a fallback tag lists has not
// said that it lists nothing.
func TestOtherManifests(t *testing.T) {
	built, app := family()
	index, err := content.ParseManifest(app.MediaType, built.Blobs[app.Digest])
	if err != nil {
		t.Fatal(err)
	}
	other := append(slices.Clone(built.Blobs[app.Digest]), ' ')
	for name, test := range map[string]struct {
		from, on string
		does     func(int, http.ResponseWriter, *http.Request) bool
		want     error
	}{
		"the index":               {"app@" + app.Digest.String(), "/manifests/" + app.Digest.String(), write(other), content.ErrDigest},
		"a child":                 {"app:v1", "/manifests/" + index.Manifests[1].Digest.String(), write(other), content.ErrCorrupt},
		"limits the fallback tag": {"app:v1", "/manifests/sha256-", status(429, 100), registry.ErrRateLimited},
		"denies the fallback tag": {"app:v1", "/manifests/sha256-", status(403, 100), registry.ErrDenied},
	} {
		t.Run(name, func(t *testing.T) {
			reg, ro, dst := fakeregistry.New(t), quick(t), writable(t)
			reg.NoReferrers = true
			push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
			n := 0
			reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, test.on) {
					return false
				}
				n++
				return test.does(n-1, w, r)
			}
			if _, err := registry.Pull(t.Context(), session(ro), at(t, reg, test.from), dst, registry.PullOptions{Name: "app"}); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if _, err := dst.Resolve(t.Context(), "app"); err == nil {
				t.Error("it has a name")
			}
		})
	}
}

func status(code, times int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n < times {
			w.WriteHeader(code)
		}
		return n < times
	}
}

func write(data []byte) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write(data)
		return true
	}
}
