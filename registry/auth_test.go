package registry_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// asMe is quick with credentials.
func asMe(t *testing.T) registry.Options {
	o := quick(t)
	o.Username, o.Password = "me", "secret"
	return o
}

// TestCredentialsStayHome: a blob that is redirected to another host is read there
// without what the registry was told.
func TestCredentialsStayHome(t *testing.T) {
	reg, ro := fakeregistry.New(t), asMe(t)
	reg.User, reg.Password = "me", "secret"
	built, _ := fiveLayers()
	push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})

	var mu sync.Mutex
	var told []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		told = append(told, r.Header.Get("Authorization")+r.Header.Get("Cookie"))
		mu.Unlock()
		d := content.Digest(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		_, _ = w.Write(built.Blobs[d])
	}))
	defer elsewhere.Close()
	reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/sha256") {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path+"?signature=hidden", http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	dst := writable(t)
	if _, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 6 || strings.Join(told, "") != "" {
		t.Errorf("elsewhere was told %q", told)
	}
	// What fails there is told without the signature.
	elsewhere.Close()
	_, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), writable(t), registry.PullOptions{})
	if !errors.Is(err, registry.ErrUnavailable) || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestUploadElsewhere: an upload does not go to another host.
func TestUploadElsewhere(t *testing.T) {
	reg := fakeregistry.New(t)
	reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Location", "http://127.0.0.1:1/v2/app/blobs/uploads/1")
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	built, _ := fiveLayers()
	_, err := registry.Push(t.Context(), session(quick(t)), reader(t, built), layout.Reference{Name: "v1"}, at(t, reg, "app:v1"), registry.PushOptions{})
	if !errors.Is(err, content.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// TestBearer: one token serves a push, and comes from the realm that the registry names.
func TestBearer(t *testing.T) {
	reg, ro := fakeregistry.New(t), asMe(t)
	var mu sync.Mutex
	var asked []string
	realm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		mu.Lock()
		asked = append(asked, user+":"+password+" "+strings.Join(r.URL.Query()["scope"], " "))
		mu.Unlock()
		_, _ = io.WriteString(w, `{"token":"t"}`)
	}))
	defer realm.Close()
	reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer t" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm.URL+`/token",service="s"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	built, _ := fiveLayers()
	push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	if !slices.Equal(asked, []string{"me:secret repository:app:pull,push"}) {
		t.Errorf("asked for tokens: %q", asked)
	}
	for _, got := range reg.Presented() {
		if got != "Bearer t" {
			t.Errorf("the registry was told %q", got)
		}
	}
}

// TestTLS: a certificate that nobody vouches for is refused, and trusted if asked for.
func TestTLS(t *testing.T) {
	reg, ro := fakeregistry.NewTLS(t), quick(t)
	built, _ := fiveLayers()
	src, ref := reader(t, built), layout.Reference{Name: "v1"}
	ro.TLS = true
	if _, err := registry.Push(t.Context(), session(ro), src, ref, at(t, reg, "app:v1"), registry.PushOptions{}); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("a certificate of nobody's: %v", err)
	}
	trusting := ro
	trusting.CAFile = testkit.File(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.Certificate().Raw}))
	push(t, src, "v1", at(t, reg, "app:v1"), trusting, registry.PushOptions{})
	trusting.CAFile, trusting.CA = "", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.Certificate().Raw})
	push(t, src, "v1", at(t, reg, "app:v1"), trusting, registry.PushOptions{})
	for _, bad := range []registry.Options{{TLS: true, CA: []byte("none")}, {TLS: true, Cert: []byte("none"), Key: []byte("none")}} {
		if _, err := registry.Find(t.Context(), session(bad), at(t, reg, "app:v1")); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("no certificate: %v", err)
		}
	}
	warned := 0
	ro.Insecure, ro.Warn = true, func(error) { warned++ }
	push(t, src, "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	if warned != 1 {
		t.Errorf("%d warnings", warned)
	}
}

// TestStoredCredentials: the closest entry counts, in docker's file or podman's.
func TestStoredCredentials(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	reg.User, reg.Password = "me", "secret"
	built, _ := fiveLayers()
	src := reader(t, built)
	wrong, right := `{"auth":"eDp5"}`, `{"auth":"bWU6c2VjcmV0"}`
	for name, auths := range map[string]string{
		"host":       `"` + reg.Host() + `":` + right,
		"namespace":  `"` + reg.Host() + `":` + wrong + `,"` + reg.Host() + `/team":` + right,
		"repository": `"` + reg.Host() + `/team":` + wrong + `,"` + reg.Host() + `/team/app":` + right,
		"legacy":     `"http://` + reg.Host() + `/v1/":` + right,
	} {
		t.Run(name, func(t *testing.T) {
			o := ro
			o.AuthFile = testkit.File(t, "auth.json", []byte(`{"auths":{`+auths+`}}`))
			push(t, src, "v1", at(t, reg, "team/app:v1"), o, registry.PushOptions{})
		})
	}
	home := t.TempDir()
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("DOCKER_CONFIG", filepath.Join(home, "docker"))
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("XDG_RUNTIME_DIR", "")
	if err := build.WriteDir(home, build.Text("containers/auth.json", `{"auths":{"`+reg.Host()+`":`+right+`}}`)); err != nil {
		t.Fatal(err)
	}
	ro.AuthFile = ""
	push(t, src, "v1", at(t, reg, "team/app:v1"), ro, registry.PushOptions{})
}

// TestNamedHelper: a program that is named is asked, and no file; NoAuthFiles asks none.
func TestNamedHelper(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	reg := fakeregistry.New(t)
	reg.User, reg.Password = "me", "secret"
	dir := t.TempDir()
	script := "#!/bin/sh\nread host; [ \"$host\" = there ] && echo '{\"ServerURL\":\"there\",\"Username\":\"me\",\"Secret\":\"secret\"}'\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	ro := quick(t)
	ro.Helper, ro.HelperHost = "docker-credential-test", "there"
	if _, err := registry.Find(t.Context(), session(ro), at(t, reg, "app:v1")); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("with the helper: %v", err)
	}
	ro.Helper = "/bin/sh"
	if _, err := registry.Find(t.Context(), session(ro), at(t, reg, "app:v1")); err == nil || !strings.Contains(err.Error(), `"/bin/sh" is no docker-credential-NAME`) {
		t.Errorf("another program: %v", err)
	}
	ro.Helper = ""
	ro.AuthFile = testkit.File(t, "auth.json", fmt.Appendf(nil, `{"auths":{%q:{"auth":"bWU6c2VjcmV0"}}}`, reg.Host()))
	if _, err := registry.Find(t.Context(), session(ro), at(t, reg, "app:v1")); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("with a file: %v", err)
	}
	ro.NoAuthFiles = true
	if _, err := registry.Find(t.Context(), session(ro), at(t, reg, "app:v1")); !errors.Is(err, registry.ErrUnauthorized) {
		t.Errorf("with no file: %v", err)
	}
}
