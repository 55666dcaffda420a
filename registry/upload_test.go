package registry_test

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// TestUploadFaults: uploads begin anew where they fail for the moment.
func TestUploadFaults(t *testing.T) {
	built, d := fiveLayers()
	for name, test := range map[string]struct {
		method, on string
		times      int32
		does       http.HandlerFunc
		want       error
	}{
		"fails at the end":           {"PUT", "/uploads/", 2, answer(500), nil},
		"fails at the start":         {"POST", "/uploads/", 2, answer(503), nil},
		"limits":                     {"POST", "/uploads/", 2, answer(429), nil},
		"drops the connection":       {"PUT", "/uploads/", 2, drop, nil},
		"drops it when asked":        {"HEAD", "/manifests/", 1, drop, nil},
		"takes the manifest at last": {"PUT", "/manifests/", 2, answer(502), nil},
		"is down":                    {"PUT", "/uploads/", 1000, answer(500), registry.ErrUnavailable},
		"denies":                     {"POST", "/uploads/", 1000, answer(403), registry.ErrDenied},
		"refuses the bytes":          {"PUT", "/uploads/", 1000, answer(400), errAny},
		"limits at the end":          {"PUT", "/uploads/", 2, answer(429), nil},
		"limits each upload":         {"PUT", "/uploads/", 1000, answer(429), registry.ErrRateLimited},
		"forgets an upload":          {"PUT", "/uploads/", 2, answer(404), nil},
		"forgets all uploads":        {"PUT", "/uploads/", 1000, answer(404), registry.ErrUnavailable},
		"refuses the manifest":       {"PUT", "/manifests/", 1000, answer(400), errAny},
		"limits for good":            {"HEAD", "/manifests/", 1000, answer(429), registry.ErrRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			reg := fakeregistry.New(t)
			var n atomic.Int32
			reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != test.method || !strings.Contains(r.URL.Path, test.on) || n.Add(1) > test.times {
					return false
				}
				test.does(w, r)
				return true
			}
			_, err := registry.Push(t.Context(), session(quick(t)), reader(t, built), layout.Reference{Name: "v1"}, at(t, reg, "app:v1"), registry.PushOptions{})
			switch {
			case test.want == errAny && err == nil, test.want != errAny && !errors.Is(err, test.want):
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err == nil && !slices.Equal(reg.Manifest("app", "v1"), built.Blobs[d.Digest]) {
				t.Error("the manifest is another")
			}
			if err != nil && (reg.Manifest("app", "v1") != nil || strings.Contains(err.Error(), "\n")) {
				t.Errorf("there is a tag, or more than a line: %v", err)
			}
		})
	}
}

var errAny = errors.New("any")

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// TestUploadStandsStill: a registry that takes no more of a blob is turned away from, and
// the upload begins anew.
func TestUploadStandsStill(t *testing.T) {
	built := build.NewLayout()
	built.Tag("big", built.Artifact("a/big", nil, build.Random(1, 32<<20))) // more than a socket holds
	for name, times := range map[string]int32{"once": 1, "always": 1000} {
		t.Run(name, func(t *testing.T) {
			reg := fakeregistry.New(t)
			var n atomic.Int32
			reg.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || r.ContentLength < 1<<20 || n.Add(1) > times {
					return false
				}
				_, _ = io.CopyN(io.Discard, r.Body, 1000)
				time.Sleep(400 * time.Millisecond)
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					t.Error("the client waited")
				}
				panic(http.ErrAbortHandler)
			}
			_, err := registry.Push(t.Context(), session(quick(t)), reader(t, built), layout.Reference{Name: "big"}, at(t, reg, "app:v1"), registry.PushOptions{})
			if (times == 1) != (err == nil) || err != nil && !errors.Is(err, registry.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestNoMounts: a registry that does not know of mounting gets the blobs sent.
func TestNoMounts(t *testing.T) {
	reg := fakeregistry.New(t)
	reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("mount") == "" {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	built, _ := fiveLayers()
	if done := push(t, reader(t, built), "v1", at(t, reg, "app:v1"), quick(t), registry.PushOptions{}); done.Blobs != 6 {
		t.Errorf("got %+v", done)
	}
}

// TestCorruptLayout: bytes that are wrong here do not get a name there, nor are they sent
// to the last, be they few or many, but to a registry on this machine.
func TestCorruptLayout(t *testing.T) {
	for _, size := range []int{100_000, 5 << 20} {
		built := build.NewLayout()
		d := built.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("file", string(build.Random(1, size)))}}}})
		built.Tag("v1", d)
		m, err := content.ParseManifest(d.MediaType, built.Blobs[d.Digest])
		if err != nil {
			t.Fatal(err)
		}
		built.Blobs[m.Layers[0].Digest][500] ^= 1
		r, err := layout.OpenReader(testkit.Layout(t, built, testkit.BrokenOK), layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		near, far, secure := quick(t), quick(t), quick(t)
		far.PlainHTTP, secure.TLS, secure.Insecure = true, true, true
		for _, to := range []struct {
			reg   *fakeregistry.Registry
			o     registry.Options
			name  string // in place of the loopback address
			whole int
		}{
			{fakeregistry.New(t), near, "", 1},
			{fakeregistry.New(t), far, "registry.example.com", 0},
			{fakeregistry.NewTLS(t), secure, "", 0},
		} {
			ref := at(t, to.reg, "app:v1")
			if to.name != "" {
				loopback, port, _ := strings.Cut(ref.Host, ":")
				ref.Host = to.name + ":" + port
				to.o.Resolve = map[string]netip.Addr{ref.Host: netip.MustParseAddr(loopback)}
			}
			_, err = registry.Push(t.Context(), session(to.o), r, layout.Reference{Name: "v1"}, ref, registry.PushOptions{})
			if !errors.Is(err, content.ErrDigest) || to.reg.Manifest("app", "v1") != nil || to.reg.Whole() != to.whole {
				t.Errorf("%s, %d bytes: got %v, %d blobs sent to the last byte", ref, size, err, to.reg.Whole())
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSparse: a platform alone goes where the registry takes sparse indexes, and comes.
func TestSparse(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built, app := family()
	src := reader(t, built)
	push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	arm, err := content.ParsePlatform("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	dst := writable(t)
	done, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{Name: "app", Platforms: []content.Platform{arm}})
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Changes) != 1 || done.Referrers != 3 { // of amd64 there is nothing, nor what cosign made for it
		t.Errorf("got %+v", done)
	}
	if got, err := dst.Resolve(t.Context(), "app"); err != nil || got.Digest != app.Digest {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := registry.Push(t.Context(), session(ro), dst.Reader, layout.Reference{Name: "app"}, at(t, reg, "other:v1"), registry.PushOptions{}); err == nil {
		t.Error("a sparse index is taken by a registry that refuses them")
	}
}

// TestFallbackKeeps: what is on a list of referrers stays, byte for byte.
func TestFallbackKeeps(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	reg.NoReferrers = true
	one := build.NewLayout()
	app := one.Image(build.Image{})
	one.Tag("app", app)
	push(t, reader(t, one), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	first := one.Attach(app, "a/one", []byte("1"))
	push(t, reader(t, one), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	before := string(reg.Manifest("app", build.FallbackTag(app.Digest)))

	two := build.NewLayout()
	two.Tag("app", two.Image(build.Image{}))
	two.Attach(app, "a/two", []byte("2"))
	push(t, reader(t, two), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	after := string(reg.Manifest("app", build.FallbackTag(app.Digest)))
	entries := strings.TrimSuffix(before, "]}")
	if !strings.Contains(before, first.Digest.String()) || !strings.HasPrefix(after, entries+",") || !strings.Contains(after, "a/two") {
		t.Errorf("before %s\nafter %s", before, after)
	}
}

// TestEmptyBlob: a blob of no bytes goes and comes like others.
func TestEmptyBlob(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built := build.NewLayout()
	d := built.Artifact("a/empty", nil, nil)
	built.Tag("empty", d)
	push(t, reader(t, built), "empty", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	dst := writable(t)
	if done, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{}); err != nil || done.Digest != d.Digest {
		t.Errorf("got %+v, %v", done, err)
	}
}
