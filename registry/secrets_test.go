package registry_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// public is a registry with TLS under a public name, and the options to reach it.
func public(t *testing.T) (*fakeregistry.Registry, registry.Reference, registry.Options) {
	t.Helper()
	reg, o := fakeregistry.NewTLS(t), asMe(t)
	_, port, _ := strings.Cut(reg.Host(), ":")
	ref := registry.Reference{Host: "example.com:" + port, Repository: "app", Tag: "v1"} // a name in httptest's certificate
	o.Resolve = map[string]netip.Addr{ref.Host: netip.MustParseAddr("127.0.0.1")}
	o.CAFile = testkit.File(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.Certificate().Raw}))
	return reg, ref, o
}

// TestRealm: no token is asked for where a public registry's token service can't be,
// whether it is named or redirected to, and no secret is in the error.
func TestRealm(t *testing.T) {
	inside := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a token was asked for inside: %s", r.Header.Get("Authorization"))
	}))
	defer inside.Close()
	_, port, _ := strings.Cut(inside.Listener.Addr().String(), ":")
	for name, test := range map[string]struct{ realm, want string }{
		"private":        {"https://10.0.0.1/token?signature=hidden", "10.0.0.0/8"},
		"mapped":         {"https://[::ffff:192.168.0.1]/token", "192.168.0.0/16"},
		"loopback":       {inside.URL + "/token", "127.0.0.0/8"},
		"by name":        {"https://localhost:" + port + "/token", "localhost"},
		"cloud metadata": {"https://169.254.169.254/token", "169.254.0.0/16"},
		"http":           {"http://auth.example.com/token?signature=hidden", "no https"},
		"other scheme":   {"file:///etc/passwd", "no https"},
		"redirect":       {"SELF/token", "127.0.0.0/8"},
	} {
		t.Run(name, func(t *testing.T) {
			reg, ref, o := public(t)
			reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					http.Redirect(w, r, inside.URL+"/token?signature=hidden", http.StatusTemporaryRedirect)
					return true
				}
				realm := strings.Replace(test.realm, "SELF", "https://"+r.Host, 1)
				w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="s"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			_, err := registry.Find(t.Context(), session(o), ref)
			if !errors.Is(err, content.ErrRefused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if text := fmt.Sprint(err); strings.Contains(text, "secret") || strings.Contains(text, "hidden") {
				t.Errorf("the error tells secrets: %s", text)
			}
		})
	}
}

// TestTokenRedirect: what a token service redirects to elsewhere is asked without the
// user's password.
func TestTokenRedirect(t *testing.T) {
	reg, ro := fakeregistry.New(t), asMe(t)
	var mu sync.Mutex
	told := []string{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		told = append(told, r.Header.Get("Authorization"))
		mu.Unlock()
		_, _ = io.WriteString(w, `{"token":"t"}`)
	}))
	defer elsewhere.Close()
	reg.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/token":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case r.Header.Get("Authorization") == "Bearer t":
			return false
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+reg.URL+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
		return true
	}
	built, _ := fiveLayers()
	push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	if !slices.Equal(told, []string{""}) {
		t.Errorf("elsewhere was told %q", told)
	}
}

// TestPlainRemote: a password does not leave the machine without TLS, not even to where
// the registry asks for it.
func TestPlainRemote(t *testing.T) {
	reg, o := fakeregistry.New(t), asMe(t)
	reg.User, reg.Password = "me", "secret"
	_, port, _ := strings.Cut(reg.Host(), ":")
	o.PlainHTTP = true
	o.Resolve = map[string]netip.Addr{"example.com:" + port: netip.MustParseAddr("127.0.0.1")}
	_, err := registry.Find(t.Context(), session(o), registry.Reference{Host: "example.com:" + port, Repository: "app", Tag: "v1"})
	if !errors.Is(err, content.ErrRefused) || len(reg.Presented()) != 0 || len(reg.Requests()) != 1 {
		t.Errorf("got %v, told %q", err, reg.Presented())
	}
}

// TestIdentityToken: docker's identity tokens are exchanged for others at the token
// service, and go nowhere else.
func TestIdentityToken(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	var mu sync.Mutex
	asked := []string{}
	realm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		mu.Lock()
		asked = append(asked, r.Method+" "+r.PostForm.Get("grant_type")+" "+r.PostForm.Get("refresh_token"))
		mu.Unlock()
		_, _ = io.WriteString(w, `{"access_token":"t"}`)
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
	ro.AuthFile = testkit.File(t, "auth.json", []byte(`{"auths":{"`+reg.Host()+`":{"identitytoken":"id-secret"}}}`))
	built, _ := fiveLayers()
	push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	if !slices.Equal(asked, []string{"POST refresh_token id-secret"}) {
		t.Errorf("asked for tokens: %q", asked)
	}
	for _, told := range reg.Presented() {
		if told != "Bearer t" {
			t.Errorf("the registry was told %q", told)
		}
	}
}

// TestHelperOfFile: what a credential helper says is used, a name and a password or an
// identity token.
func TestHelperOfFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the helper is a shell script")
	}
	reg, ro := fakeregistry.New(t), quick(t)
	reg.User, reg.Password = "me", "secret"
	dir := t.TempDir()
	script := "#!/bin/sh\nread host\n[ \"$1\" = get ] && [ \"$host\" = " + reg.Host() + " ] || { echo credentials not found in native keychain; exit 1; }\n" +
		"echo '{\"ServerURL\":\"x\",\"Username\":\"me\",\"Secret\":\"secret\"}'\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+"/usr/bin:/bin")
	built, _ := fiveLayers()
	for _, text := range []string{`{"credsStore":"test"}`, `{"credHelpers":{"` + reg.Host() + `":"test"}}`} {
		ro.AuthFile = testkit.File(t, "config.json", []byte(text))
		push(t, reader(t, built), "v1", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	}
	ro.AuthFile = testkit.File(t, "config.json", []byte(`{"credsStore":"absent"}`))
	if _, err := registry.Find(t.Context(), session(ro), at(t, reg, "app:v1")); err == nil || !strings.Contains(err.Error(), "docker-credential-absent") {
		t.Errorf("a helper that is not there: %v", err)
	}
}

// TestClientCertificate: a registry that wants one gets it, from wherever it is kept.
func TestClientCertificate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("directories have no colons in their names there")
	}
	cert, key := certificate(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	reg := fakeregistry.New(t)
	srv := httptest.NewUnstartedServer(reg)
	srv.Config.ErrorLog = reg.Config.ErrorLog
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	srv.StartTLS()
	defer srv.Close()
	host := srv.Listener.Addr().String()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	dir := t.TempDir()
	if err := build.WriteDir(dir,
		build.Text("files/ca.pem", string(ca)), build.Text("files/c.pem", string(cert)), build.Text("files/k.pem", string(key)), build.Text("files/both.pem", string(cert)+string(key)),
		build.Text("home/docker/certs.d/"+host+"/ca.crt", string(ca)), build.Text("home/docker/certs.d/"+host+"/me.cert", string(cert)), build.Text("home/docker/certs.d/"+host+"/me.key", string(key)),
		build.Text("hosts/"+host+"/hosts.toml", "ca = \"../../files/ca.pem\"\nclient = [[\"../../files/c.pem\", \"../../files/k.pem\"]]\n"),
		build.Text("one/"+host+"/hosts.toml", "ca = \"../../files/ca.pem\"\nclient = \"../../files/both.pem\"\n"),
	); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return filepath.Join(dir, "files", name) }
	built, _ := fiveLayers()
	src := reader(t, built)
	ref := registry.Reference{Host: host, Repository: "app", Tag: "v1"}
	for name, set := range map[string]func(*registry.Options){
		"options": func(o *registry.Options) {
			o.CAFile, o.CertFile, o.KeyFile = file("ca.pem"), file("c.pem"), file("k.pem")
		},
		"certs.d":    func(*registry.Options) { t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "home")) },
		"hosts.toml": func(o *registry.Options) { o.HostsDir, o.RegistriesConf = filepath.Join(dir, "hosts"), "" },
		"one file":   func(o *registry.Options) { o.HostsDir, o.RegistriesConf = filepath.Join(dir, "one"), "" },
	} {
		t.Setenv("XDG_CONFIG_HOME", dir)
		o := quick(t)
		set(&o)
		if _, err := registry.Push(t.Context(), session(o), src, layout.Reference{Name: "v1"}, ref, registry.PushOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", dir)
	o := quick(t)
	o.CAFile = file("ca.pem")
	if _, err := registry.Find(t.Context(), session(o), ref); !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without: %v", err)
	}
	o.CertFile, o.KeyFile = file("c.pem"), file("ca.pem")
	if _, err := registry.Find(t.Context(), session(o), ref); !errors.Is(err, content.ErrInvalid) || !strings.Contains(err.Error(), "c.pem") {
		t.Errorf("with a key that is none: %v", err)
	}
}

// certificate makes a client's certificate and its key, in PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "me"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// TestUserInReference: a password that somebody writes into a reference is not repeated.
func TestUserInReference(t *testing.T) {
	for _, text := range []string{"docker://me:secret@registry.example.com/app", "me:secret@registry.example.com:5000/app:v1"} {
		_, err := registry.ParseReference(text)
		_, hostErr := registry.ParseHost(text)
		_, urlErr := registry.ParseHost("https://me:secret@registry.example.com")
		for _, err := range []error{err, hostErr, urlErr} {
			if !errors.Is(err, content.ErrInvalid) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}
