package registry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/registry"
)

// TestLyingLists: what a list of referrers claims is believed only as far as the
// manifests say the same.
func TestLyingLists(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built := build.NewLayout()
	app, other := built.Image(build.Image{}), built.Artifact("a/other", nil, []byte("of nothing"))
	built.Tag("app", app)
	built.Tag("other", other)
	src := reader(t, built)
	push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	push(t, src, "other", at(t, reg, "app:other"), ro, registry.PushOptions{})
	gone := content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: build.Descriptor("", []byte("gone")).Digest, Size: 4}
	reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/"+app.Digest.String()) {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		_, _ = w.Write(build.JSON(build.IndexOf(other, gone)))
		return true
	}
	warned := 0
	ro.Warn = func(error) { warned++ }
	done, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), writable(t), registry.PullOptions{})
	if err != nil || done.Referrers != 0 || warned != 2 {
		t.Errorf("got %+v, %d warnings, %v", done, warned, err)
	}
}

// TestHostileAnswers: answers that do not end, or lead elsewhere, are refused.
func TestHostileAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		on   string
		does http.HandlerFunc
		want error
	}{
		"tags at another host": {"/tags/list", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<http://registry.example.com/v2/app/tags/list>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":["v1"]}`)
		}, content.ErrRefused},
		"tags without end": {"/tags/list", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "<"+r.URL.Path+`>; rel="next"`)
			_, _ = io.WriteString(w, `{"tags":[]}`)
		}, content.ErrRefused},
		"tags that are paths": {"/tags/list", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"tags":["../../x"]}`)
		}, content.ErrCorrupt},
		"a referrer that is none": {"/referrers/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
			_, _ = io.WriteString(w, `{"manifests":[{"digest":"sha256:../x","size":1,"mediaType":"x"}]}`)
		}, content.ErrCorrupt},
		"referrers without end": {"/referrers/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
			w.Header().Set("Link", "<"+r.URL.Path+`>; rel="next"`)
			_, _ = io.WriteString(w, `{"manifests":[]}`)
		}, content.ErrRefused},
		"a manifest that is too large": {"/manifests/v1", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"x":"%s"}`, strings.Repeat("x", 5<<20))
		}, content.ErrRefused},
		"redirects without end": {"/manifests/v1", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, content.ErrRefused},
		"a refusal that stalls": {"/manifests/v1", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, registry.ErrDenied},
		"a token service that stalls": {"/", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/token" {
				w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="s"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, registry.ErrUnavailable},
		"another part than was asked for": {"/blobs/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-9/10")
			w.WriteHeader(http.StatusPartialContent)
		}, content.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			reg, ro := fakeregistry.New(t), quick(t)
			built, _ := fiveLayers()
			push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
			reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, test.on) {
					return false
				}
				test.does(w, r)
				return true
			}
			_, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), writable(t), registry.PullOptions{})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
