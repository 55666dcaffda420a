package sync

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// world is an environment with one variable and one file.
var world = Environment{
	Getenv: func(key string) string { return map[string]string{"HUB_USER": "me", "TEAM": "red"}[key] },
	ReadFile: func(path string) ([]byte, error) {
		if path == "/token" {
			return []byte(" secret\n"), nil
		}
		return nil, errors.New("not there")
	},
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := ParseConfig("sync.yaml", []byte(text), world)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// published has the keys of the example that regclient publishes, with a layout as a
// target beside its registry.
const published = `
version: 1
creds:
  - registry: registry:5000
    tls: disabled
  - registry: docker.io
    user: "{{env \"HUB_USER\"}}"
    pass: "{{file \"/token\"}}"
defaults:
  ratelimit:
    min: 100
    retry: 15m
  parallel: 2
  interval: 60m
  backup: "bkup-{{.Ref.Tag}}"
x-types: &types
  - "application/vnd.oci.image.manifest.v1+json"
  - "application/vnd.oci.image.index.v1+json"
sync:
  - source: busybox:latest
    target: registry:5000/library/busybox:latest
    type: image
  - source: alpine
    target: ocidir://mirror/{{env "TEAM"}}/{{.Sync.Source}}
    type: repository
    tags:
      allow:
      - "latest"
      - "3"
      - "3.\\d+"
  - source: debian
    target: registry:5000/library/debian
    type: repository
    tags:
      allow: ["\\d+"]
    mediaTypes: *types
    ratelimit: {min: 5, retry: 1s}
    schedule: "0 2 * * 0"
`

func TestPublishedExample(t *testing.T) {
	c := parse(t, published)
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
	if h := c.Creds[1]; h.Registry != "docker.io" || h.User != "me" || h.Pass != "secret" {
		t.Errorf("creds %+v", h)
	}
	first, second, third := c.Sync[0], c.Sync[1], c.Sync[2]
	if got := first.source.String(); got != "docker.io/library/busybox:latest" {
		t.Errorf("source %s", got)
	}
	if got := second.target.Layout; got != "mirror/red/alpine" {
		t.Errorf("target %s", got)
	}
	if got := second.Filter([]string{"3", "3.18", "3.18-rc", "latest", "33", "edge"}); strings.Join(got, " ") != "3 3.18 latest" {
		t.Errorf("tags %s", got)
	}
	if first.RateLimit != (RateLimit{100, Duration{15 * time.Minute}}) || third.RateLimit != (RateLimit{5, Duration{minRetry}}) {
		t.Errorf("rate limits %v, %v", first.RateLimit, third.RateLimit)
	}
	if first.Backup != "bkup-{{.Ref.Tag}}" || first.Interval.Duration != time.Hour || third.Interval.Duration != 0 || third.schedule == nil {
		t.Errorf("settings %+v, %+v", first.Settings, third.Settings)
	}
	if !third.takes("application/vnd.oci.image.index.v1+json") || third.takes(usualTypes[0]) || !first.takes(usualTypes[0]) {
		t.Error("mediaTypes")
	}
	sunday := time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local)
	if next := third.schedule.Next(sunday); next.Sub(sunday) != 14*time.Hour {
		t.Errorf("next is %s", next)
	}
	if next := first.schedule.Next(sunday); next.Sub(sunday) != time.Hour {
		t.Errorf("next is %s", next)
	}
}

// TestEmptyVariables: what is not set, or can't be read, is empty, as for regsync.
func TestEmptyVariables(t *testing.T) {
	c := parse(t, `
creds: [{registry: docker.io, user: '{{env "NOBODY"}}', pass: '{{file "/none"}}'}]
sync: [{source: '{{default "alpine" (env "NOBODY")}}:{{ "V3" | lower }}', target: 'ocidir://{{split "a/b" "/" | json | printf "%.4s"}}', type: image}]`)
	if h := c.Creds[0]; h.User != "" || h.Pass != "" {
		t.Errorf("creds %+v", h)
	}
	if e := c.Sync[0]; e.source.String() != "docker.io/library/alpine:v3" || e.target.Layout != `["a"` {
		t.Errorf("source %s, target %s", e.source, e.target)
	}
}

// minimal is a configuration with one entry that has more keys.
func minimal(more string) string {
	return "version: 1\nsync:\n  - source: alpine\n    target: ocidir://a\n    type: repository\n" + more
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		kind error
		want string
	}{
		{"version: 2\nsync: []", content.ErrUnsupported, "sync.yaml:1:10: version 2 is not known"},
		{"version: 1", content.ErrInvalid, "sync.yaml: there is nothing below sync"},
		{"version: [", content.ErrInvalid, "sync.yaml:1:"},
		{"sync:\n  - source: [a\n", content.ErrInvalid, "sync.yaml:2:"},
		{"a: 1\n---\nb: 1", content.ErrInvalid, "there are 2 documents"},
		{minimal("    sources: x\n"), content.ErrInvalid, `sync.yaml:6:5: unknown field "sources"`},
		{minimal("    type: image\n"), content.ErrInvalid, "sync.yaml:6:5: mapping key \"type\" already defined"},
		{minimal("    interval: soon\n"), content.ErrInvalid, "sync.yaml:6:15: \"soon\" is no time"},
		{minimal("    tags: {alow: [a]}\n"), content.ErrInvalid, `sync.yaml:6:12: unknown field "alow"`},
		{minimal("    tags:\n      allow:\n      - a\n      - '('\n"), content.ErrInvalid, "sync.yaml:9:9: error parsing regexp"},
		{minimal("    tags: {deny: ['a)(b']}\n"), content.ErrInvalid, "sync.yaml:6:19: error parsing regexp"},
		{minimal("    tagSets:\n    - semverRange: ['>=x']\n"), content.ErrInvalid, `sync.yaml:7:21: ">=x" is no range`},
		{minimal("    includeExternal: true\n"), content.ErrUnsupported, "sync.yaml:6:22: "},
		{"defaults: {referrerTarget: a/b}\n" + minimal(""), content.ErrUnsupported, "sync.yaml:1:28: "},
		{minimal("    schedule: '61 * * * *'\n"), content.ErrInvalid, "sync.yaml:6:15: "},
		{minimal("    schedule: '0 0 31 2 *'\n"), content.ErrInvalid, `"0 0 31 2 *" is never`},
		{minimal("    schedule: 'TZ=UTC'\n"), content.ErrInvalid, "has a time zone and nothing behind it"},
		{minimal("    schedule: '@daily'\n    interval: 1h\n"), content.ErrInvalid, "sync.yaml:7:15: an entry has a schedule or an interval"},
		{minimal("    platforms: [linux/amd64, a/b/c/d]\n"), content.ErrInvalid, "sync.yaml:6:30: "},
		{minimal("    select: {sortBy: age, limit: 2}\n"), content.ErrInvalid, `sync.yaml:6:22: "age" is no order`},
		{minimal("    select: {sortBy: name}\n"), content.ErrInvalid, "an order means nothing without a limit"},
		{minimal("    prune: {keep: 3, older: 1d}\n"), content.ErrInvalid, `unknown field "older"`},
		{minimal("    prune: {by: name}\n"), content.ErrInvalid, "no rule says what goes"},
		{"sync: [{source: a, target: b, type: repository, prune: {untagged: true}}]", content.ErrUnsupported, "nobody can list"},
		{minimal("    referrerFilters: [{}]\n"), content.ErrInvalid, "sync.yaml:6:23: a filter has neither"},
		{"sync: [{source: a, target: 'ocidir://b', type: repo}]", content.ErrInvalid, `sync.yaml:1:48: "repo" is no type`},
		{"sync: [{source: 'a:1', target: 'ocidir://b', type: repository}]", content.ErrInvalid, `sync.yaml:1:17: "a:1" is one image`},
		{"sync: [{source: 'oci:a//b', target: 'ocidir://b', type: image}]", content.ErrInvalid, `sync.yaml:1:17: `},
		{"sync: [{source: 'ocifile://b', target: 'ocidir://b', type: image}]", content.ErrInvalid, "ocifile:// is not known"},
		{"sync: [{source: 'a', target: 'ocidir://', type: image}]", content.ErrInvalid, "has no path"},
		{"sync: [{target: 'ocidir://b', type: image}]", content.ErrInvalid, "the entry has no source"},
		{"sync: [{source: '{{.Nothing}}', target: 'ocidir://b', type: image}]", content.ErrInvalid, "sync.yaml:1:17: "},
		{"sync: [{source: 'a.b/c', target: 'ocidir://b', type: registry}]", content.ErrInvalid, "is no registry"},
		{"sync: [{source: 'a.b/c', target: 'ocidir://b', type: layout}]", content.ErrInvalid, "is no layout"},
		{"sync: [null]", content.ErrInvalid, "an entry is empty"},
		{"creds: [{registry: 'a b'}]\n" + minimal(""), content.ErrInvalid, "sync.yaml:1:20: "},
		{"creds: [{registry: a.b, tls: maybe}]\n" + minimal(""), content.ErrInvalid, `sync.yaml:1:30: "maybe"`},
		{"creds: [{registry: a.b, credHelper: c}]\n" + minimal(""), content.ErrInvalid, "sync.yaml:1:37: \"c\" is no docker-credential-NAME"},
		{"creds: [{registry: a.b, token: c}]\n" + minimal(""), content.ErrUnsupported, "sync.yaml:1:32: token is not done"},
		{"creds: [{registry: a.b, apiOpts: {a: b}}]\n" + minimal(""), content.ErrUnsupported, "sync.yaml:1:35: only registries of distribution-spec"},
		{"creds: [{registry: a.b, mirrors: [a.b, 'b c']}]\n" + minimal(""), content.ErrInvalid, "sync.yaml:1:40: "},
	} {
		_, err := ParseConfig("sync.yaml", []byte(c.text), world)
		if err == nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\ngives %v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestWarnings: keys without an effect are told, with their place.
func TestWarnings(t *testing.T) {
	c := parse(t, "creds: [{registry: a.b, repoAuth: true}]\ndefaults: {blobLimit: 5}\n"+minimal("    hooks: {pre: {type: exec, params: [ls]}}\n    repos: {allow: [a]}\n"))
	var got []string
	for _, w := range c.Warnings {
		got = append(got, w.Error())
	}
	for i, want := range []string{"sync.yaml:1:35: repoAuth has no effect", "sync.yaml:2:23: blobLimit has no effect", "sync.yaml:8:13: hooks are not run", "sync.yaml:9:13: repos has an effect on"} {
		if len(got) != 4 || !strings.HasPrefix(got[i], want) {
			t.Errorf("warnings %q, want %q", got, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"ocidir://a/b:v1", "ocidir://a/b:v1"},
		{"ocidir://./a", "ocidir://a:latest"},
		{"ocidir:///x:1/y", "ocidir:///x:1/y:latest"},
		{`ocidir://C:\layouts\a`, `ocidir://C:\layouts\a:latest`},
		{"ocidir://a@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "ocidir://a@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		{"localhost:5000/app", "localhost:5000/app:latest"},
		{"docker://ghcr.io/a/b:1", "ghcr.io/a/b:1"},
	} {
		if p, err := parseImage(c.text); err != nil || p.String() != c.want {
			t.Errorf("%s is %s, %v", c.text, p, err)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"registry:5000", "registry:5000/x/y"},
		{"registry:5000/mirror", "registry:5000/mirror/x/y"},
		{"docker.io/me", "docker.io/me/x/y"},
		{"ocidir://m/", "ocidir://m/x/y"},
	} {
		if p, err := parseRoot(c.text); err != nil || (Point{Place: p.below("x/y")}).String() != c.want {
			t.Errorf("%s is %s, %v", c.text, p.below("x/y").Layout, err)
		}
	}
}

// TestHosts: what the file says of a registry is how it is spoken to.
func TestHosts(t *testing.T) {
	c := parse(t, `
creds:
- registry: a.io
  hostname: a.internal:443
  pathPrefix: hub
  mirrors: [late.io, second.io, first.io]
  priority: 5
  reqPerSec: 2.5
  reqConcurrent: 2
  regcert: '{{file "/token"}}'
  clientCert: cert
  clientKey: key
  credHelper: docker-credential-x
  credHost: elsewhere
- {registry: second.io, priority: 4}
- {registry: late.io, priority: 6}
- {registry: b.io, tls: disabled, user: me, pass: secret}
- {registry: "http://c.io"}
- {registry: d.io, tls: Insecure}
defaults: {skipDockerConfig: true, userAgent: ua}
`+minimal("")[len("version: 1\n"):])
	got := c.Creds[0].options(registry.Options{CAFile: "own"})
	if got.Address != "a.internal:443" || got.PathPrefix != "hub" || strings.Join(got.Mirrors, " ") != "first.io second.io" ||
		got.RequestsPerSecond != 2.5 || got.Concurrent != 2 || string(got.CA) != "secret" || string(got.Cert) != "cert" || string(got.Key) != "key" ||
		got.Helper != "docker-credential-x" || got.HelperHost != "elsewhere" || got.CAFile != "own" {
		t.Errorf("options %+v", got)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Error(), "the mirror late.io has a higher priority number") {
		t.Errorf("warnings %v", c.Warnings)
	}
	if got := c.Creds[3].options(registry.Options{CAFile: "own", TLS: true}); !got.PlainHTTP || got.TLS || got.CAFile != "" || got.Username != "me" || got.Password != "secret" {
		t.Errorf("options %+v", got)
	}
	if got := c.Creds[4].options(registry.Options{}); !got.PlainHTTP {
		t.Errorf("options %+v", got)
	}
	if got := c.Creds[5].options(registry.Options{PlainHTTP: true}); got.PlainHTTP || !got.Insecure {
		t.Errorf("options %+v", got)
	}
}

// TestHostileConfig: what would take long to read is refused.
func TestHostileConfig(t *testing.T) {
	bomb := "x-a0: &a0 [a, a, a, a, a, a, a, a, a, a]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("x-a%d: &a%[1]d {b: [%s]}\n", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	for _, text := range []string{
		bomb + "sync: [{source: a, target: 'ocidir://b', type: repository, tags: {allow: *a12}}]",
		"x-a: " + strings.Repeat("[", 100_000),
		"x-a: " + strings.Repeat("{a: ", 100_000),
		strings.Repeat(" ", maxConfig+1),
	} {
		if _, err := ParseConfig("f", []byte(text), world); !errors.Is(err, content.ErrRefused) {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}
