package registry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// TestHostOptions: a host may answer at another address, have its repositories below a
// path, and mirrors with options of their own; credentials are those of its name.
func TestHostOptions(t *testing.T) {
	reg, mirror := fakeregistry.New(t), fakeregistry.New(t)
	reg.User, reg.Password = "me", "secret"
	built, d := fiveLayers()
	src := reader(t, built)
	own := quick(t)
	own.Address, own.PathPrefix, own.Mirrors = reg.Host(), "/proxy/hub/", []string{"mirror.example"}
	own.AuthFile = testkit.File(t, "auth.json", []byte(`{"auths":{"registry.example":{"auth":"bWU6c2VjcmV0"}}}`))
	other := quick(t)
	other.Address, other.PathPrefix, other.PlainHTTP = mirror.Host(), "copies", true
	s := registry.NewSession(quick(t), map[string]registry.Options{"registry.example": own, "mirror.example": other})
	ref, err := registry.ParseReference("registry.example/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Push(t.Context(), s, src, layout.Reference{Name: "v1"}, ref, registry.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, mirror, "a push", 0)
	if reg.Manifest("proxy/hub/app", "v1") == nil {
		t.Error("it is not below the path")
	}
	push(t, src, "v1", at(t, mirror, "copies/app:v1"), quick(t), registry.PushOptions{})
	mirror.Requests()
	reg.Requests()
	done, err := registry.Pull(t.Context(), s, ref, writable(t), registry.PullOptions{})
	if err != nil || done.Digest != d.Digest || done.Changes[0].Name != "registry.example/app:v1" {
		t.Errorf("got %+v, %v", done, err)
	}
	// The first question was answered with one for credentials.
	if up, down := kinds(reg), kinds(mirror); up != "[referrers:2 tags:1]" || down != "[blobs:6 manifests/v1:1]" {
		t.Errorf("asked for %s, of the mirror %s", up, down)
	}
	if told := mirror.Presented(); len(told) > 0 {
		t.Errorf("the mirror was told %q", told)
	}
}

// TestPrefixInScope: tokens are for what the registry calls the repository.
func TestPrefixInScope(t *testing.T) {
	reg := fakeregistry.New(t)
	var mu sync.Mutex
	var scopes []string
	realm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		scopes = append(scopes, strings.Join(r.URL.Query()["scope"], " "))
		mu.Unlock()
		_, _ = io.WriteString(w, `{"token":"t"}`)
	}))
	defer realm.Close()
	reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer t" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm.URL+`/token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	o := quick(t)
	o.PathPrefix = "hub"
	built, _ := fiveLayers()
	push(t, reader(t, built), "v1", at(t, reg, "app:v1"), o, registry.PushOptions{MountFrom: "other"})
	if want := []string{"repository:hub/app:pull,push repository:hub/other:pull"}; !slices.Equal(scopes, want) {
		t.Errorf("tokens for %q, want %q", scopes, want)
	}
}

// TestConcurrent: a host that wants one request at a time gets one at a time.
func TestConcurrent(t *testing.T) {
	reg := fakeregistry.New(t)
	built, d := fiveLayers()
	push(t, reader(t, built), "v1", at(t, reg, "app:v1"), quick(t), registry.PushOptions{})
	var mu sync.Mutex
	now, most := 0, 0
	reg.Fault = func(http.ResponseWriter, *http.Request) bool {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(time.Millisecond) // for others to come, if they do
		mu.Lock()
		now--
		mu.Unlock()
		return false
	}
	o := quick(t)
	o.Concurrent = 1
	pull(t, at(t, reg, "app:v1"), o, d.Digest)
	push(t, reader(t, built), "v1", at(t, reg, "other:v1"), o, registry.PushOptions{})
	if most != 1 {
		t.Errorf("%d at once", most)
	}
}

// TestFilesOfHost: a host may have files of its own about mirrors.
func TestFilesOfHost(t *testing.T) {
	upstream, mirror, _ := mirrored(t)
	own, none := conf(t, entry(upstream, mirror.Host())), quick(t)
	for _, test := range []struct {
		base, host registry.Options
		want       string // asked of the registry itself
	}{{none, own, "[]"}, {own, none, "[blobs:6 manifests/v1:1]"}} {
		s := registry.NewSession(test.base, map[string]registry.Options{upstream.Host(): test.host})
		if _, err := registry.Pull(t.Context(), s, at(t, upstream, "app:v1"), writable(t), registry.PullOptions{NoReferrers: true}); err != nil {
			t.Fatal(err)
		}
		if got := kinds(upstream); got != test.want {
			t.Errorf("asked for %s, want %s", got, test.want)
		}
	}
}
