package hosts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

// write makes files below a new directory, which it returns.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// line writes an endpoint as an address, with what is special about it.
func line(dir string, e Endpoint) string {
	s := e.Host + e.Path + "/" + e.Repository
	if e.Scheme != "" {
		s = e.Scheme + "://" + s
	}
	for _, part := range []struct {
		is   bool
		text string
	}{
		{!e.Tags, "no-tags"}, {!e.Digests, "no-digests"}, {e.DigestsOfTag, "of-tag"}, {e.Insecure, "insecure"}, {e.MayPlain, "plain"},
		{e.Namespace != "", "ns=" + e.Namespace}, {e.Dial != 0, e.Dial.String()}, {e.Header != nil, fmt.Sprint(e.Header)},
		{e.CA != nil, "ca=" + strings.Join(e.CA, "+")}, {e.Client != nil, fmt.Sprint("client=", e.Client)},
	} {
		if part.is {
			s += " " + part.text
		}
	}
	return strings.ReplaceAll(s, dir+string(filepath.Separator), "")
}

func lines(dir string, route Route) []string {
	var all []string
	for _, e := range route.Read {
		all = append(all, line(dir, e))
	}
	return append(all, "write "+line(dir, route.Write))
}

const registriesConf = `
unqualified-search-registries = ["example.com"]
short-name-mode = "enforcing"
[[registry]]
location = "plain.example"
insecure = true
[[registry]]
prefix = "moved.example/team"
location = "internal.example:5000/mirrors/team/"
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.example/hub"
[[registry.mirror]]
location = "localhost:5000"
insecure = true
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "[::1]:5001"
pull-from-mirror = "digest-only"
[[registry]]
location = "docker.io/secret"
blocked = true
[[registry]]
prefix = "*.wild.example"
[[registry.mirror]]
location = "wild-mirror.example"
[[registry]]
location = "digests.example"
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.example"
[[registry]]
location = "single.example/app:v1"
blocked = true
[[registry]]
prefix = "single.example/more/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
location = "other.example/app"
[aliases]
"app" = "example.com/app"
`

func TestRegistries(t *testing.T) {
	dir := write(t, map[string]string{
		"registries.conf":   registriesConf,
		"conf.d/10-a.conf":  "[[registry]]\nlocation = \"plain.example\"\ninsecure = false\n[[registry]]\nlocation = \"new.example\"\nblocked = true\n",
		"conf.d/20-b.conf":  "[[registry]]\nlocation = \"new.example\"\n",
		"conf.d/notes.text": "nothing",
	})
	main := []string{filepath.Join(dir, "absent.conf"), filepath.Join(dir, "registries.conf")}
	c := New(Places{Main: main, DropIns: []string{filepath.Join(dir, "conf.d"), filepath.Join(dir, "absent.d")}})
	for name, want := range map[string][]string{
		"plain.example/app":              {"plain.example/v2/app", "write plain.example/v2/app"},
		"plain.example.org/app":          {"plain.example.org/v2/app", "write plain.example.org/v2/app"},
		"new.example/app":                {"new.example/v2/app", "write new.example/v2/app"},
		"moved.example/team/app":         {"internal.example:5000/v2/mirrors/team/app", "write moved.example/v2/team/app"},
		"moved.example/teams/app":        {"moved.example/v2/teams/app", "write moved.example/v2/teams/app"},
		"docker.io/library/app":          {"mirror.example/v2/hub/library/app", "localhost:5000/v2/library/app no-digests of-tag insecure plain", "[::1]:5001/v2/library/app no-tags", "docker.io/v2/library/app", "write docker.io/v2/library/app"},
		"a.b.wild.example:5000/team/app": {"wild-mirror.example:5000/v2/team/app", "a.b.wild.example:5000/v2/team/app", "write a.b.wild.example:5000/v2/team/app"},
		"wild.example/app":               {"wild.example/v2/app", "write wild.example/v2/app"},
		"digests.example/app":            {"mirror.example/v2/app no-tags", "digests.example/v2/app", "write digests.example/v2/app"},
		"digests.example":                {"mirror.example/v2/ no-tags", "digests.example/v2/", "write digests.example/v2/"},
	} {
		host, repository, _ := strings.Cut(name, "/")
		route, err := c.For(host, repository)
		if got := lines(dir, route); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", name, err, got, want)
		}
	}
	if _, err := c.For("docker.io", "secret/app"); !errors.Is(err, content.ErrRefused) || !strings.Contains(err.Error(), "registries.conf") {
		t.Errorf("blocked: %v", err)
	}
	for _, repository := range []string{"app", "more/app"} {
		if _, err := c.For("single.example", repository); !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("an entry for one image: %v", err)
		}
	}
	if route, err := c.For("single.example", "other"); err != nil || route.Write.From != "" {
		t.Errorf("another repository: %+v, %v", route, err)
	}
	// One file alone.
	c = New(Places{Main: main[1:], MustExist: true})
	if route, err := c.For("plain.example", "app"); err != nil || !route.Write.Insecure || !route.Read[0].MayPlain {
		t.Errorf("insecure: %v, %v", lines(dir, route), err)
	}
	if _, err := New(Places{Main: main[:1], MustExist: true}).For("plain.example", "app"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestHostsFile(t *testing.T) {
	dir := write(t, map[string]string{
		"docker.io/hosts.toml": `
server = "https://registry-1.docker.io"
[host."https://z.example/v2/hub"]
  capabilities = ["pull"]
  override_path = true
  ca = "z.pem"
  dial_timeout = "3s"
  [host."https://z.example/v2/hub".header]
    x-one = "1"
    x-more = ["2", "3"]
[host."http://a.example:5000/cache"]
  capabilities = ["Pull", "resolve"]
[host."push.example"]
  capabilities = ["push"]
`,
		"own.example_5000_/hosts.toml": `
[host."https://own.example:5000"]
  skip_verify = true
  ca = ["/etc/a.pem", "b.pem"]
  client = [["c.cert", "c.key"], "both.pem"]
`,
		"else.example/hosts.toml": `server = "https://other.example"` + "\nskip_verify = true\n",
		"none.example/hosts.toml": ``,
		"line.example/hosts.toml": "[host]\n\"https://y.example\" = {}\n\"https://x.example\" = {capabilities = [\"pull\"]}\n",
		"_default/hosts.toml":     `[host."https://all.example"]` + "\ncapabilities = [\"resolve\"]\nclient = \"one.pem\"\n",
	})
	c := New(Places{Hosts: []string{filepath.Join(dir, "absent"), dir}})
	abs := "/etc/a.pem"
	for name, want := range map[string][]string{
		"docker.io/library/app": {
			"https://z.example/v2/hub/library/app no-tags ns=docker.io 3s map[x-more:[2 3] x-one:[1]] ca=docker.io/z.pem",
			"http://a.example:5000/cache/v2/library/app ns=docker.io",
			"https://docker.io/v2/library/app", "write https://docker.io/v2/library/app",
		},
		"own.example:5000/app": {
			"https://own.example:5000/v2/app insecure ca=" + abs + "+own.example_5000_/b.pem client=[[own.example_5000_/c.cert own.example_5000_/c.key] [own.example_5000_/both.pem own.example_5000_/both.pem]]",
			"write https://own.example:5000/v2/app insecure ca=" + abs + "+own.example_5000_/b.pem client=[[own.example_5000_/c.cert own.example_5000_/c.key] [own.example_5000_/both.pem own.example_5000_/both.pem]]",
		},
		"else.example/app": {"https://other.example/v2/app insecure ns=else.example", "write else.example/v2/app"},
		"line.example/app": {
			"https://x.example/v2/app no-tags ns=line.example", "https://y.example/v2/app ns=line.example",
			"line.example/v2/app", "write line.example/v2/app",
		},
		"none.example/app": {"none.example/v2/app", "write none.example/v2/app"},
		"b.example/app":    {"https://all.example/v2/app no-digests ns=b.example client=[[_default/one.pem _default/one.pem]]", "b.example/v2/app", "write b.example/v2/app"},
	} {
		host, repository, _ := strings.Cut(name, "/")
		for range 2 { // from the file, and as it was kept
			route, err := c.For(host, repository)
			if got := lines(dir, route); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v\ngot  %q\nwant %q", name, err, got, want)
			}
		}
	}
}

// TestOneSource: an entry of registries.conf counts, and not hosts.toml beside it.
func TestOneSource(t *testing.T) {
	dir := write(t, map[string]string{
		"registries.conf":      "[[registry]]\nlocation = \"a.example/team\"\n[[registry.mirror]]\nlocation = \"m.example\"\n",
		"a.example/hosts.toml": `[host."https://h.example"]`,
	})
	c := New(Places{Main: []string{filepath.Join(dir, "registries.conf")}, Hosts: []string{dir}})
	for repository, want := range map[string]string{"team/app": "m.example/v2/app", "other/app": "https://h.example/v2/other/app ns=a.example"} {
		route, err := c.For("a.example", repository)
		if err != nil || len(route.Read) != 2 || line(dir, route.Read[0]) != want {
			t.Errorf("%s: %q, %v", repository, lines(dir, route), err)
		}
	}
}

func TestCertificates(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("names have no colons there")
	}
	dir := write(t, map[string]string{
		"one/a.example/ca.crt":        "",
		"one/a.example/README":        "",
		"two/a.example/other.crt":     "",
		"two/b.example:5000/c.cert":   "",
		"two/b.example:5000/c.key":    "",
		"two/c.example_5000_/ca.crt":  "",
		"two/lost.example/c.cert":     "",
		"two/keys.example/c.key":      "",
		"two/m.example/ca.crt":        "",
		"h/d.example/hosts.toml":      "[host.\"https://m.example\"]\n[host.\"http://b.example:5000\"]\n[host.\"https://a.example\"]\nca = \"own.pem\"\n",
		"one/empty.example/README":    "",
		"two/empty.example/later.crt": "",
	})
	c := New(Places{Hosts: []string{filepath.Join(dir, "h")}, Certs: []string{filepath.Join(dir, "one"), filepath.Join(dir, "two"), filepath.Join(dir, "three")}})
	for host, want := range map[string]string{
		"a.example":      "a.example/v2/app ca=one/a.example/ca.crt",
		"b.example:5000": "b.example:5000/v2/app client=[[two/b.example:5000/c.cert two/b.example:5000/c.key]]",
		"c.example:5000": "c.example:5000/v2/app ca=two/c.example_5000_/ca.crt",
		"b.example":      "b.example/v2/app",
		"empty.example":  "empty.example/v2/app ca=two/empty.example/later.crt",
		"d.example":      "https://m.example/v2/app ns=d.example ca=two/m.example/ca.crt|http://b.example:5000/v2/app ns=d.example|https://a.example/v2/app ns=d.example ca=h/d.example/own.pem|d.example/v2/app",
	} {
		route, err := c.For(host, "app")
		got := lines(dir, route)
		if err != nil || strings.Join(got[:len(got)-1], "|") != want {
			t.Errorf("%s: %q, %v", host, got, err)
		}
	}
	for host, want := range map[string]string{"lost.example": "c.key", "keys.example": "c.cert"} {
		if _, err := c.For(host, "app"); !errors.Is(err, content.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestBroken: what can't be understood is an error of one line that names file and key.
func TestBroken(t *testing.T) {
	for text, want := range map[string]string{
		"[[registry]":                                 "line 1",
		"[registries.search]\nregistries = []":        "registries: ",
		"registry = 1":                                "registry: ",
		"registry = [1]":                              "registry: ",
		"[[registry]]\nblocked = \"yes\"":             "registry[0].blocked: ",
		"[[registry]]\nlocation = 3":                  "registry[0].location: ",
		"[[registry]]\ninsecure = true":               "registry[0].location: ",
		"[[registry]]\nprefix = \"a.example\"":        "registry[0].location: ",
		"[[registry]]\nlocation = \"https://a.io\"":   "registry[0].location: ",
		"[[registry]]\nlocation = \"a.io/../../b\"":   "registry[0].location: ",
		"[[registry]]\nlocation = \"..\"":             "registry[0].location: ",
		"[[registry]]\nlocation = \"a.io:0/x\"":       "registry[0].location: ",
		"[[registry]]\nprefix = \"*.a.io:5000\"":      "registry[0].prefix: ",
		"[[registry]]\nprefix = \"*.a.io/x:v1\"":      "registry[0].prefix: ",
		"[[registry]]\nlocation = \"*.a.io\"":         "registry[0].location: ",
		"[[registry]]\nprefix = \"*.a.io/x\"":         "registry[0].prefix: ",
		mirrorsOf("location = \"\""):                  "registry[0].mirror[0].location: ",
		mirrorsOf("location = \"a b\""):               "registry[0].mirror[0].location: ",
		mirrorsOf("pull-from-mirror = \"some\""):      "registry[0].mirror[0].pull-from-mirror: ",
		"[[registry]]\nlocation = \"a.io\"\nlocation": "line 3",
		strings.Repeat("# \n", maxFile/2):             "it has more than",
	} {
		dir := write(t, map[string]string{"registries.conf": text})
		_, err := New(Places{Main: []string{filepath.Join(dir, "registries.conf")}}).For("a.io", "app")
		wantBroken(t, text, err, "registries.conf: "+want)
	}
	both := "[[registry]]\nlocation = \"a.io\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"b.io\"\npull-from-mirror = \"all\"\n"
	dir := write(t, map[string]string{"registries.conf": both})
	_, err := New(Places{Main: []string{filepath.Join(dir, "registries.conf")}}).For("a.io", "app")
	wantBroken(t, both, err, "registry[0].mirror[0].pull-from-mirror: ")

	for text, want := range map[string]string{
		"server = 1":                                              "server: ",
		"server = \"ftp://a.io\"":                                 "server: ",
		"server = \"https://me:secret@a.io\"":                     "server: ",
		"server = \"https://a.io/?x=y\"":                          "server: ",
		"server = \"https://../x\"":                               "server: ",
		"server = \"https://a.io:99999\"":                         "server: ",
		"server = \"https://[fe80::1%25eth0]\"":                   "server: ",
		"host = 1":                                                "host: ",
		"[host.\"https://a.io\"]\ncapabilities = [\"x\"]":         "host.\"https://a.io\".capabilities: ",
		"[host.\"https://a.io\"]\ncapabilities = [1]":             "host.\"https://a.io\".capabilities: ",
		"[host.\"https://a.io\"]\nskip_verify = 1":                "host.\"https://a.io\".skip_verify: ",
		"[host.\"https://a.io\"]\nclient = 1":                     "host.\"https://a.io\".client: ",
		"[host.\"https://a.io\"]\nclient = [[\"a\",\"b\",\"c\"]]": "host.\"https://a.io\".client: ",
		"[host.\"https://a.io\"]\nclient = [[]]":                  "host.\"https://a.io\".client: ",
		"[host.\"https://a.io\"]\nca = 1":                         "host.\"https://a.io\".ca: ",
		"[host.\"https://a.io\"]\ndial_timeout = \"x\"":           "host.\"https://a.io\".dial_timeout: ",
		"[host.\"https://a.io\".header]\nx = 1":                   "host.\"https://a.io\".header.x: ",
		"[host.\"\\\"\"]":                                         "host.\"\\\"\": ",
		"[host.x":                                                 "line 1",
	} {
		dir := write(t, map[string]string{"a.io/hosts.toml": text})
		_, err := New(Places{Hosts: []string{dir}}).For("a.io", "app")
		wantBroken(t, text, err, "hosts.toml: "+want)
	}
}

func mirrorsOf(text string) string {
	if !strings.Contains(text, "location") {
		text += "\nlocation = \"b.io\""
	}
	return "[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\n" + text
}

func wantBroken(t *testing.T, text string, err error, want string) {
	t.Helper()
	if len(text) > 100 {
		text = text[:20] + "..."
	}
	if !errors.Is(err, content.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%q: got %v, want %s", text, err, want)
	}
}

// TestDefaults: what is named by the user is all that counts.
func TestDefaults(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", "/home/me/.config")
	t.Setenv("CONTAINERS_REGISTRIES_CONF", "")
	join := func(p Places) string {
		return strings.Join(slices.Concat(p.Main, p.DropIns, p.Hosts), " ")
	}
	if p := Defaults("", ""); p.MustExist || len(p.Main) != 3 || len(p.DropIns) != 3 || len(p.Hosts) != 2 || len(p.Certs) != 7 ||
		p.Main[0] != filepath.Join("/home/me/.config", "containers", "registries.conf") {
		t.Errorf("by default: %+v", p)
	}
	if p := Defaults("dir", ""); join(p) != "dir" || p.Certs[0] != "dir" {
		t.Errorf("with a directory: %+v", p)
	}
	if p := Defaults("", "file"); join(p) != "file" || !p.MustExist {
		t.Errorf("with a file: %+v", p)
	}
	if p := Defaults("dir", "file"); join(p) != "file dir" {
		t.Errorf("with both: %+v", p)
	}
	t.Setenv("CONTAINERS_REGISTRIES_CONF", "env")
	if p := Defaults("", ""); len(p.DropIns) != 0 || len(p.Hosts) != 2 || p.Main[0] != "env" || !p.MustExist {
		t.Errorf("with the environment's: %+v", p)
	}
	if p := Defaults("dir", ""); join(p) != "dir" {
		t.Errorf("with the environment's and a directory: %+v", p)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(registriesConf, "[host.\"https://a.io\"]\nclient = [[\"a\", \"b\"]]\n", "a.io", "team/app")
	f.Add("[[registry]]\nprefix = \"*.io\"\nlocation = \"b.io/x\"", "server = \"a.io/x\"", "a.io", "")
	f.Fuzz(func(t *testing.T, registries, hosts, host, repository string) {
		if !isHost(host) {
			return
		}
		dir := write(t, map[string]string{"registries.conf": registries, "_default/hosts.toml": hosts})
		route, err := New(Places{Main: []string{filepath.Join(dir, "registries.conf")}, Hosts: []string{dir}, Certs: []string{dir}}).For(host, repository)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			return
		}
		if len(route.Read) == 0 || route.Write.Host != host {
			t.Errorf("%+v", route)
		}
		for _, e := range route.Read {
			if !isHost(e.Host) {
				t.Errorf("%q", e.Host)
			}
		}
	})
}
