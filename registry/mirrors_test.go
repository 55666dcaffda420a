package registry_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
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

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// mirrored is a registry with the image v1 of the repository app, and a mirror that has
// it too.
func mirrored(t *testing.T) (upstream, mirror *fakeregistry.Registry, built *build.Layout) {
	t.Helper()
	upstream, mirror = fakeregistry.New(t), fakeregistry.New(t)
	built, _ = fiveLayers()
	src := reader(t, built)
	for _, reg := range []*fakeregistry.Registry{upstream, mirror} {
		push(t, src, "v1", at(t, reg, "app:v1"), quick(t), registry.PushOptions{})
		reg.Requests()
	}
	return upstream, mirror, built
}

// conf is quick with a registries.conf.
func conf(t *testing.T, text string) registry.Options {
	t.Helper()
	o := quick(t)
	o.RegistriesConf = testkit.File(t, "registries.conf", []byte(text))
	return o
}

// entry is one for a registry with mirrors, of which what is more is said behind "|".
func entry(reg *fakeregistry.Registry, mirrors ...string) string {
	s := fmt.Sprintf("[[registry]]\nlocation = %q\n", reg.Host())
	for _, m := range mirrors {
		location, more, _ := strings.Cut(m, "|")
		s += fmt.Sprintf("[[registry.mirror]]\nlocation = %q\n%s\n", location, more)
	}
	return s
}

// warned keeps warnings.
func warned(o *registry.Options) *[]string {
	var mu sync.Mutex
	var all []string
	o.Warn = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, err.Error())
	}
	return &all
}

func pull(t *testing.T, from registry.Reference, ro registry.Options, want content.Digest) {
	t.Helper()
	done, err := registry.Pull(t.Context(), session(ro), from, writable(t), registry.PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if done.Digest != want {
		t.Errorf("got %s, want %s", done.Digest, want)
	}
}

// kinds counts requests by what they ask for.
func kinds(reg *fakeregistry.Registry) string {
	counts := map[string]int{}
	for _, request := range reg.Requests() {
		for _, kind := range []string{"blobs", "referrers", "tags", "manifests/v1", "manifests/sha256:"} {
			if strings.Contains(request, "/"+kind) {
				counts[kind]++
			}
		}
	}
	return strings.TrimPrefix(fmt.Sprint(counts), "map")
}

// TestMirror: a mirror gives all but lists; what is written passes it by.
func TestMirror(t *testing.T) {
	upstream, mirror, built := mirrored(t)
	d := built.Entries[0].Digest
	ro := conf(t, entry(upstream, mirror.Host()))
	pull(t, at(t, upstream, "app:v1"), ro, d)
	if up, down := kinds(upstream), kinds(mirror); up != "[referrers:1 tags:1]" || down != "[blobs:6 manifests/v1:1]" {
		t.Errorf("asked for %s, of the mirror %s", up, down)
	}
	pull(t, registry.Reference{Host: upstream.Host(), Repository: "app", Digest: d}, ro, d)
	if up, down := kinds(upstream), kinds(mirror); up != "[referrers:1 tags:1]" || down != "[blobs:6 manifests/sha256::1]" {
		t.Errorf("by digest asked for %s, of the mirror %s", up, down)
	}
	push(t, reader(t, built), "v1", at(t, upstream, "app:v1"), ro, registry.PushOptions{Tags: []string{"v2"}})
	if down := kinds(mirror); down != "[]" {
		t.Errorf("a push asked the mirror for %s", down)
	}
}

// TestMirrorUses: what a mirror is asked for is what it is set up for.
func TestMirrorUses(t *testing.T) {
	upstream, mirror, built := mirrored(t)
	d := built.Entries[0].Digest
	tag, digest := at(t, upstream, "app:v1"), registry.Reference{Host: upstream.Host(), Repository: "app", Digest: d}
	all, nothing := "[blobs:6 manifests/v1:1]", "[]"
	for name, test := range map[string]struct {
		ro              registry.Options
		byTag, byDigest string // asked of the mirror
	}{
		"digest-only":           {ro: conf(t, entry(upstream, mirror.Host()+`|pull-from-mirror = "digest-only"`)), byTag: "[blobs:6]", byDigest: "[blobs:6 manifests/sha256::1]"},
		"mirror-by-digest-only": {ro: conf(t, strings.Replace(entry(upstream, mirror.Host()), "[[registry.mirror]]", "mirror-by-digest-only = true\n[[registry.mirror]]", 1)), byTag: "[blobs:6]", byDigest: "[blobs:6 manifests/sha256::1]"},
		"tag-only":              {ro: conf(t, entry(upstream, mirror.Host()+`|pull-from-mirror = "tag-only"`)), byTag: all, byDigest: nothing},
		"hosts.toml pull":       {ro: hostsDir(t, upstream, fmt.Sprintf("[host.%q]\ncapabilities = [\"pull\"]\n", mirror.URL)), byTag: "[blobs:6]", byDigest: "[blobs:6 manifests/sha256::1]"},
		"hosts.toml push":       {ro: hostsDir(t, upstream, fmt.Sprintf("[host.%q]\ncapabilities = [\"push\"]\n", mirror.URL)), byTag: nothing, byDigest: nothing},
		"hosts.toml":            {ro: hostsDir(t, upstream, fmt.Sprintf("[host.%q]\n", mirror.URL)), byTag: all, byDigest: "[blobs:6 manifests/sha256::1]"},
	} {
		t.Run(name, func(t *testing.T) {
			pull(t, tag, test.ro, d)
			if got := kinds(mirror); got != test.byTag {
				t.Errorf("by its tag: %s, want %s", got, test.byTag)
			}
			pull(t, digest, test.ro, d)
			if got := kinds(mirror); got != test.byDigest {
				t.Errorf("by its digest: %s, want %s", got, test.byDigest)
			}
		})
	}
}

// hostsDir is quick with the hosts.toml of a registry.
func hostsDir(t *testing.T, reg *fakeregistry.Registry, text string) registry.Options {
	t.Helper()
	o, dir := quick(t), t.TempDir()
	if err := build.WriteDir(dir, build.Text(strings.Replace(reg.Host(), ":", "_", 1)+"_/hosts.toml", text)); err != nil {
		t.Fatal(err)
	}
	o.RegistriesConf, o.HostsDir = "", dir
	return o
}

// TestMirrorFails: whatever a mirror does, the next place is asked, and it is left
// alone for the rest of the run if it did more than not have something.
func TestMirrorFails(t *testing.T) {
	status := func(code int) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			return true
		}
	}
	for name, test := range map[string]struct {
		fault    func(w http.ResponseWriter, r *http.Request) bool
		requests int // to the mirror
		warnings int
	}{
		"not found":    {status(404), 7, 0},
		"unauthorized": {status(401), 1, 1},
		"denied":       {status(403), 1, 1},
		"failing":      {status(500), 2, 1},
		"limited":      {status(429), 2, 1},
		"no manifest": {func(w http.ResponseWriter, r *http.Request) bool {
			return !strings.Contains(r.URL.Path, "/blobs/") && status(404)(w, r)
		}, 7, 0},
		"other bytes": {func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
			_, _ = io.WriteString(w, `{"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)
			return true
		}, 7, 1},
	} {
		t.Run(name, func(t *testing.T) {
			upstream, mirror, built := mirrored(t)
			mirror.Fault = test.fault
			ro := conf(t, entry(upstream, mirror.Host()))
			warnings := warned(&ro)
			pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
			if got := len(mirror.Requests()); got != test.requests || len(*warnings) != test.warnings {
				t.Errorf("%d requests to the mirror, want %d; warnings: %q", got, test.requests, *warnings)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		upstream, mirror, built := mirrored(t)
		_, second, _ := mirrored(t)
		mirror.Close()
		ro := conf(t, entry(upstream, mirror.Host(), second.Host()))
		warnings := warned(&ro)
		pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
		if got := kinds(second); got != "[blobs:6 manifests/v1:1]" || len(*warnings) != 1 || !strings.Contains((*warnings)[0], mirror.Host()) {
			t.Errorf("of the second asked for %s; warnings: %q", got, *warnings)
		}
	})
}

// TestMirrorBlobs: wrong bytes of a mirror get no name, and what it does not send to
// the end comes from the registry itself.
func TestMirrorBlobs(t *testing.T) {
	upstream, mirror, built := mirrored(t)
	ro := conf(t, entry(upstream, mirror.Host()))
	mirror.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		_, d, ok := strings.Cut(r.URL.Path, "/blobs/")
		if data := built.Blobs[content.Digest(d)]; ok && len(data) > 10_000 {
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(make([]byte, len(data)))
			return true
		}
		return false
	}
	dst := writable(t)
	if _, err := registry.Pull(t.Context(), session(ro), at(t, upstream, "app:v1"), dst, registry.PullOptions{}); !errors.Is(err, content.ErrDigest) {
		t.Errorf("wrong bytes: %v", err)
	}
	if err := dst.View(t.Context(), func(x *layout.Index) error {
		for e := range x.Entries() {
			t.Errorf("wrong bytes have the name %s", e.Name())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	mirror.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		_, d, ok := strings.Cut(r.URL.Path, "/blobs/")
		if data := built.Blobs[content.Digest(d)]; ok && len(data) > 10_000 {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			_, _ = w.Write(data[:5000])
			panic(http.ErrAbortHandler)
		}
		return false
	}
	warnings := warned(&ro)
	upstream.Requests()
	pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
	if got := kinds(upstream); got != "[blobs:5 referrers:1 tags:1]" || len(*warnings) != 5 {
		t.Errorf("upstream was asked for %s; warnings: %q", got, *warnings)
	}
}

// TestMirrorAlone: if the registry itself can't be asked a mirror's lists will do, and
// that is said.
func TestMirrorAlone(t *testing.T) {
	upstream, mirror, built := mirrored(t)
	src := reader(t, built)
	push(t, src, "v1", at(t, mirror, "app:v2"), quick(t), registry.PushOptions{})
	ro := conf(t, entry(upstream, mirror.Host()))
	upstream.Close()
	warnings := warned(&ro)
	pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
	tags, err := registry.ListTags(t.Context(), session(ro), at(t, upstream, "app"), nil, false)
	if err != nil || len(tags) != 2 {
		t.Errorf("tags: %v, %v", tags, err)
	}
	if len(*warnings) != 2 || !strings.Contains((*warnings)[0], "need not have all") {
		t.Errorf("warnings: %q", *warnings)
	}
	if _, err := registry.Find(t.Context(), session(ro), at(t, upstream, "app:v9")); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("what nobody has: %v", err)
	}
}

// TestMirrorCredentials: a mirror is told its own, never the registry's, and the other
// way round.
func TestMirrorCredentials(t *testing.T) {
	upstream, mirror, built := mirrored(t)
	mirror.User, mirror.Password = "mirror", "m-secret"
	upstream.User, upstream.Password = "me", "u-secret"
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, user := range map[string]string{"of the file": "", "of the options": "me"} {
		t.Run(name, func(t *testing.T) {
			ro := conf(t, entry(upstream, mirror.Host()))
			ro.AuthFile = testkit.File(t, "auth.json", []byte(fmt.Sprintf(`{"auths":{%q:{"auth":%q},%q:{"auth":%q}}}`,
				mirror.Host(), basic("mirror:m-secret"), upstream.Host(), basic("me:u-secret"))))
			if user != "" {
				ro.Username, ro.Password = "me", "u-secret"
			}
			pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
			for reg, want := range map[*fakeregistry.Registry]string{upstream: "me:u-secret", mirror: "mirror:m-secret"} {
				got := slices.Compact(reg.Presented())
				if !slices.Equal(got, []string{"Basic " + basic(want)}) {
					t.Errorf("%s was told %q", want, got)
				}
			}
			if kinds(mirror) == "[]" {
				t.Error("the mirror was not asked")
			}
		})
	}
}

// TestHostsFile: a mirror of several registries is told which, gets the headers that
// the file names, and nobody else does; its repositories are below a path.
func TestHostsFile(t *testing.T) {
	upstream, _, built := mirrored(t)
	var mu sync.Mutex
	asked, other := []string{}, []string{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		other = append(other, r.Header.Get("X-Secret"))
		mu.Unlock()
		_, d, _ := strings.Cut(r.URL.Path, "/blobs/")
		_, _ = w.Write(built.Blobs[content.Digest(d)])
	}))
	defer elsewhere.Close()
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, fmt.Sprintf("%s?%s %s", r.URL.Path, r.URL.RawQuery, strings.Join(r.Header.Values("X-Secret"), "+")))
		mu.Unlock()
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Content-Type", built.Entries[0].MediaType)
		_, _ = w.Write(built.Blobs[built.Entries[0].Digest])
	}))
	defer mirror.Close()
	for path, test := range map[string]struct{ more, want string }{
		"/cache":  {"", "/cache/v2/app/"},
		"/v2/hub": {"override_path = true\n", "/v2/hub/app/"},
	} {
		asked, other = nil, nil
		text := fmt.Sprintf("[host.%[1]q]\n%[2]s[host.%[1]q.header]\nx-secret = [\"a\", \"b\"]\n", mirror.URL+path, test.more)
		ro := hostsDir(t, upstream, text)
		pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
		if len(asked) != 7 || len(other) != 6 || strings.Join(other, "") != "" {
			t.Errorf("%d requests, elsewhere %q", len(asked), other)
		}
		for _, request := range asked {
			if !strings.HasPrefix(request, test.want) || !strings.HasSuffix(request, "?ns="+strings.Replace(upstream.Host(), ":", "%3A", 1)+" a+b") {
				t.Errorf("asked for %s", request)
			}
		}
	}
}

// TestBlocked: nothing is sent to a registry that is blocked.
func TestBlocked(t *testing.T) {
	upstream, _, built := mirrored(t)
	ro := conf(t, entry(upstream)+"blocked = true\n")
	_, pullErr := registry.Find(t.Context(), session(ro), at(t, upstream, "app:v1"))
	_, pushErr := registry.Push(t.Context(), session(ro), reader(t, built), layout.Reference{Name: "v1"}, at(t, upstream, "app:v1"), registry.PushOptions{})
	ro.Username, ro.Password = "me", "secret"
	_, loginErr := registry.Login(t.Context(), upstream.Host(), ro)
	for _, err := range []error{pullErr, pushErr, loginErr} {
		if !errors.Is(err, content.ErrRefused) || !strings.Contains(err.Error(), "registries.conf blocks it") {
			t.Errorf("got %v", err)
		}
	}
	wantRequests(t, upstream, "blocked", 0)
}

// TestMoved: what is read comes from the location, what is written does not go there.
func TestMoved(t *testing.T) {
	upstream, other, built := mirrored(t)
	push(t, reader(t, built), "v1", at(t, other, "team/app:v1"), quick(t), registry.PushOptions{})
	other.Requests()
	ro := conf(t, fmt.Sprintf("[[registry]]\nprefix = %q\nlocation = %q\n", upstream.Host(), other.Host()+"/team"))
	pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
	if up, there := kinds(upstream), kinds(other); up != "[]" || there != "[blobs:6 manifests/v1:1 referrers:1 tags:1]" {
		t.Errorf("asked for %s, there %s", up, there)
	}
	push(t, reader(t, built), "v1", at(t, upstream, "app:v2"), ro, registry.PushOptions{})
	if there := kinds(other); there != "[]" || upstream.Manifest("app", "v2") == nil {
		t.Errorf("a push asked there for %s", there)
	}
}

// TestInsecureEntry: with insecure any certificate will do, and plain HTTP too; that a
// certificate was not looked at is said.
func TestInsecureEntry(t *testing.T) {
	built, _ := fiveLayers()
	src := reader(t, built)
	for name, reg := range map[string]*fakeregistry.Registry{"TLS": fakeregistry.NewTLS(t), "HTTP": fakeregistry.New(t)} {
		t.Run(name, func(t *testing.T) {
			reg.User, reg.Password = "me", "secret"
			ro := conf(t, entry(reg)+"insecure = true\n")
			ro.Username, ro.Password = "me", "secret"
			warnings := warned(&ro)
			s := session(ro)
			for range 2 {
				if _, err := registry.Push(t.Context(), s, src, layout.Reference{Name: "v1"}, at(t, reg, "app:v1"), registry.PushOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if got := *warnings; len(got) != 1 || !strings.Contains(got[0], "NOT CHECKED, as") {
				t.Errorf("warnings: %q", got)
			}
			pull(t, at(t, reg, "app:v1"), ro, built.Entries[0].Digest)
		})
	}
}

// TestCertificatesOfHost: they are found under the host's name, where docker, containers
// and containerd have them.
func TestCertificatesOfHost(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("directories have no colons in their names there")
	}
	reg := fakeregistry.NewTLS(t)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.Certificate().Raw}))
	built, _ := fiveLayers()
	src := reader(t, built)
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	for _, program := range []string{"docker", "containers", "containerd"} {
		dir := filepath.Join(home, program, "certs.d", reg.Host())
		if err := build.WriteDir(dir, build.Text("ca.crt", ca)); err != nil {
			t.Fatal(err)
		}
		push(t, src, "v1", at(t, reg, "app:v1"), quick(t), registry.PushOptions{})
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	o := hostsDir(t, reg, fmt.Sprintf("server = %q\nca = \"own.pem\"\n", reg.URL))
	if err := build.WriteDir(filepath.Join(o.HostsDir, strings.Replace(reg.Host(), ":", "_", 1)+"_"), build.Text("own.pem", ca)); err != nil {
		t.Fatal(err)
	}
	push(t, src, "v1", at(t, reg, "app:v1"), o, registry.PushOptions{})
}

// TestHeaderInTheClear: a secret in a header that a file names does not leave the machine
// without TLS either.
func TestHeaderInTheClear(t *testing.T) {
	upstream, mirror, built := mirrored(t)
	_, port, _ := strings.Cut(mirror.Host(), ":")
	ro := hostsDir(t, upstream, fmt.Sprintf("[host.\"http://example.com:%[1]s\"]\n[host.\"http://example.com:%[1]s\".header]\nauthorization = \"Basic secret\"\n", port))
	ro.Resolve = map[string]netip.Addr{"example.com:" + port: netip.MustParseAddr("127.0.0.1")}
	warnings := warned(&ro)
	pull(t, at(t, upstream, "app:v1"), ro, built.Entries[0].Digest)
	wantRequests(t, mirror, "the mirror", 0)
	if len(*warnings) != 1 || !strings.Contains((*warnings)[0], "not sent to example.com") || strings.Contains((*warnings)[0], "secret") {
		t.Errorf("warnings: %q", *warnings)
	}
}
