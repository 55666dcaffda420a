package sync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
	"github.com/ocilayout/ocilayout/registry/sync"
)

// A world is a registry and a directory, with "$REG" and "$DIR" for them in texts.
type world struct {
	t    *testing.T
	reg  *fakeregistry.Registry
	dir  string
	warn []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, reg: fakeregistry.New(t), dir: t.TempDir()}
}

func (w *world) expand(text string) string {
	return strings.NewReplacer("$REG", w.reg.Host(), "$DIR", w.dir).Replace(text)
}

// push puts all names of a layout into a repository.
func (w *world) push(l *build.Layout, repository string) {
	w.t.Helper()
	r, err := layout.OpenReader(testkit.Layout(w.t, l), layout.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	ref, err := registry.ParseReference(w.reg.Host() + "/" + repository)
	if err == nil {
		_, err = registry.PushAll(w.t.Context(), registry.NewSession(w.options(), nil), r, ref, registry.PushOptions{})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.reg.Requests()
}

func (w *world) options() registry.Options {
	return registry.Options{AuthFile: filepath.Join(w.dir, "none.json"), Pause: time.Millisecond}
}

func (w *world) try(config string, o sync.Options) (sync.Report, error) {
	w.t.Helper()
	c, err := sync.ParseConfig("sync.yaml", []byte(w.expand(config)), sync.System())
	if err != nil {
		w.t.Fatal(err)
	}
	o.Layout.NoSync = true
	o.Env = sync.System()
	o.Warn = func(err error) { w.warn = append(w.warn, err.Error()) }
	return sync.Run(w.t.Context(), c, c.Session(w.options()), o)
}

// run runs a configuration of which nothing may fail.
func (w *world) run(config string, o sync.Options) sync.Report {
	w.t.Helper()
	report, err := w.try(config, o)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range report.Images {
		if r.Err != nil {
			w.t.Errorf("%s to %s: %v", r.Source, r.Target, r.Err)
		}
	}
	return report
}

// names lists what a layout below the directory holds, as NAME=what digest names.
func (w *world) names(path string) string {
	w.t.Helper()
	path = filepath.Join(w.dir, path)
	testkit.Sound(w.t, path)
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var list []string
	for l, err := range r.List(w.t.Context(), layout.ListOptions{All: true}) {
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, l.Name)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func (w *world) requests(what string, most int) {
	w.t.Helper()
	got := slices.DeleteFunc(w.reg.Requests(), func(r string) bool { return strings.HasSuffix(r, "/tags/list") })
	got = append(got, "GET the tags") // the fake's pages are small
	if len(got) > most {
		w.t.Errorf("%s: %d requests, want at most %d:\n%s", what, len(got), most, strings.Join(got, "\n"))
	}
}

// siblings is a layout of images v0, v1 and so on, which share two layers.
func siblings(n int) *build.Layout {
	l := build.NewLayout()
	for i := range n {
		l.Tag(fmt.Sprint("v", i), l.Image(build.Image{Layers: []build.Layer{
			{Files: []build.File{build.Text("base", "base")}},
			{Files: []build.File{build.Text("runtime", "runtime")}},
			{Files: []build.File{build.Text("app", fmt.Sprint("app ", i))}},
		}}))
	}
	return l
}

// family is a layout of an image with an SBOM, its signature, and a tag of cosign's.
func family(text string) (*build.Layout, content.Descriptor) {
	l := build.NewLayout()
	d := l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("a", text)}}}})
	l.Tag("app", d)
	sbom := l.Attach(d, "a/sbom", []byte("sbom"))
	l.Attach(sbom, "a/signature", []byte("signature of the sbom"))
	l.Tag("sha256-"+d.Digest.Encoded()+".att", l.Artifact("a/cosign", nil, []byte("attestation")))
	return l, d
}

const mirror = "sync: [{source: $REG/app, target: 'ocidir://$DIR/mirror', type: repository, %s}]"

// TestRequests: of many images that share layers each manifest and blob is asked for
// once, and the second time nothing but the tags.
func TestRequests(t *testing.T) {
	const n = 200
	w := newWorld(t)
	w.push(siblings(n), "app")
	config := fmt.Sprintf(mirror, "")
	report := w.run(config, sync.Options{})
	w.requests("the first time", 1+n+2*n+2) // tags, manifests, configs and own layers, two layers of all
	if report.Totals.Copied != n || report.Totals.Blobs != n+2*n+2 {
		t.Errorf("totals %+v", report.Totals)
	}
	var sum int64
	for _, r := range report.Images {
		sum += r.Bytes
	}
	if sum != report.Totals.Bytes || report.Images[0].Bytes <= report.Images[1].Bytes || report.Images[1].Bytes == 0 {
		t.Errorf("%d bytes in all and %d of images; of the first %d, of the second %d", report.Totals.Bytes, sum, report.Images[0].Bytes, report.Images[1].Bytes)
	}
	whole := w.run("sync: [{source: 'ocidir://$DIR/mirror', target: 'ocidir://$DIR/copy', type: repository}, {source: 'ocidir://$DIR/mirror:v0', target: 'ocidir://$DIR/copy:other', type: image}]", sync.Options{})
	for i, r := range whole.Images {
		if i < n && r.Bytes != report.Images[i].Bytes || i == n && r.Bytes != 0 {
			t.Errorf("%s took %d bytes from the layout, and %d from the registry", r.Source, r.Bytes, report.Images[i].Bytes)
		}
	}
	if got := strings.Fields(w.names("mirror")); len(got) != n || got[0] != "v0" {
		t.Errorf("names %q", got)
	}
	report = w.run(config, sync.Options{})
	w.requests("again", 1+n)
	if report.Totals.Unchanged != n || report.Totals.Bytes != 0 {
		t.Errorf("totals %+v", report.Totals)
	}
	report = w.run(config, sync.Options{Missing: true})
	w.requests("again, what is missing", 1)
	if report.Totals.Skipped != n {
		t.Errorf("totals %+v", report.Totals)
	}
}

// TestCheck: a check says what the run does, and does nothing.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(5), "app")
	config := fmt.Sprintf(mirror, "prune: {keep: 2, by: name}")
	w.run(fmt.Sprintf(mirror, "tags: {allow: [v0, v1]}"), sync.Options{})
	check := w.run(config, sync.Options{Check: true})
	if got := w.names("mirror"); got != "v0 v1" {
		t.Fatalf("after a check there are %s", got)
	}
	done := w.run(config, sync.Options{})
	if !check.Changes() || check.Totals.Copied != 3 || done.Totals.Copied != 3 || done.Totals.Pruned != 3 {
		t.Errorf("check %+v, run %+v", check.Totals, done.Totals)
	}
	for i := range done.Images {
		done.Images[i].Bytes = 0 // which nobody knows before
	}
	if fmt.Sprint(check.Images) != fmt.Sprint(done.Images) || len(check.Pruned) != len(done.Pruned) {
		t.Errorf("check %v, %v\nrun   %v, %v", check.Images, check.Pruned, done.Images, done.Pruned)
	}
	if got := w.names("mirror"); got != "v3 v4" {
		t.Errorf("left are %s", got)
	}
}

// TestMoved: a name that moved is copied again, with a backup, but not if only what is
// missing is wanted.
func TestMoved(t *testing.T) {
	w := newWorld(t)
	first, old := family("old")
	w.push(first, "app")
	config := fmt.Sprintf(mirror, "tags: {allow: [app]}, backup: 'was-{{.Ref.Tag}}'")
	w.run(config, sync.Options{})
	second, d := family("new")
	w.push(second, "app")
	if report := w.run(config, sync.Options{Missing: true}); report.Totals.Skipped != 1 {
		t.Errorf("missing: %+v", report)
	}
	report := w.run(config, sync.Options{})
	if r := report.Images[0]; r.Action != sync.ActionCopy || r.Old != old.Digest || r.New != d.Digest || !strings.HasSuffix(r.Backup, "mirror:was-app") {
		t.Errorf("result %+v", r)
	}
	if got := w.names("mirror"); got != "app was-app" {
		t.Errorf("names %s", got)
	}
	if len(w.warn) > 0 {
		t.Errorf("warnings %q", w.warn)
	}
}

// TestEveryDirection: from registry and layout to registry and layout, with what refers
// to the image.
func TestEveryDirection(t *testing.T) {
	for _, noAPI := range []bool{false, true} {
		w := newWorld(t)
		w.reg.NoReferrers = noAPI
		l, d := family("x")
		w.push(l, "app")
		tag := "sha256-" + d.Digest.Encoded()
		report := w.run(`
defaults: {referrers: true, digestTags: true}
sync:
- {source: '$REG/app', target: 'ocidir://$DIR/one', type: repository, tags: {deny: ['sha256-.*']}}
- {source: 'ocidir://$DIR/one', target: 'ocidir://$DIR/two', type: repository, tags: {allow: [app]}}
- {source: 'ocidir://$DIR/two:app', target: 'ocidir://$DIR/three:renamed', type: image}
- {source: 'ocidir://$DIR/three', target: '$REG/from-layout', type: layout, tags: {allow: [renamed]}}
- {source: '$REG/from-layout:renamed', target: '$REG/from-registry:v1', type: image}`, sync.Options{})
		if report.Totals.Copied != 5 {
			t.Errorf("%+v", report)
		}
		for path, name := range map[string]string{"one": "app", "two": "app", "three": "renamed"} {
			names := w.names(path)
			for _, want := range []string{name, tag, tag + ".att"} {
				if !slices.Contains(strings.Fields(names), want) {
					t.Errorf("in %s are %s, and not %s", path, names, want)
				}
			}
		}
		for repository, name := range map[string]string{"from-layout": "renamed", "from-registry": "v1"} {
			tags := w.reg.Tags(repository)
			if !slices.Contains(tags, name) || !slices.Contains(tags, tag+".att") || slices.Contains(tags, tag) != noAPI {
				t.Errorf("in %s are %s", repository, tags)
			}
		}
	}
}

// TestRegistry: each repository of a registry has its own layout below a directory.
func TestRegistry(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(2), "team/app")
	w.push(siblings(3), "tool")
	w.push(siblings(3), "private/tool")
	w.run("sync: [{source: $REG, target: 'ocidir://$DIR/all', type: registry, repos: {deny: ['private/.*']}, tags: {deny: [v0]}}]", sync.Options{})
	if got := w.names("all/team/app") + ", " + w.names("all/tool"); got != "v1, v1 v2" {
		t.Errorf("names %s", got)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "all/private")); err == nil {
		t.Error("a repository that is denied came")
	}
}

// TestFullNames: names with a repository stay in a layout, and become repositories of a
// registry.
func TestFullNames(t *testing.T) {
	w := newWorld(t)
	l := build.NewLayout()
	d := l.Image(build.Image{})
	path := testkit.Layout(t, l)
	dst, err := layout.Open(path, layout.Options{NoSync: true})
	if err == nil {
		_, err = dst.TagNames(t.Context(), layout.Reference{Digest: d.Digest}, []string{"ghcr.io/team/app:v1", "alpine:3", "bare"}, layout.TagOptions{})
		err = errors.Join(err, dst.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	config := "sync: [{source: 'ocidir://" + path + "', target: '%s', type: layout}]"
	w.run(fmt.Sprintf(config, "ocidir://$DIR/copy"), sync.Options{})
	if got := w.names("copy"); got != "bare docker.io/library/alpine:3 ghcr.io/team/app:v1" {
		t.Errorf("names %s", got)
	}
	w.run(fmt.Sprintf(config, "$REG/all"), sync.Options{})
	for repository, tag := range map[string]string{"all": "bare", "all/team/app": "v1", "all/library/alpine": "3"} {
		if got := w.reg.Tags(repository); len(got) != 1 || got[0] != tag {
			t.Errorf("%s has %s", repository, got)
		}
	}
	report, err := w.try(fmt.Sprintf(config, "$REG"), sync.Options{})
	if err != nil || report.Totals.Failed != 1 || !errors.Is(report.Images[0].Err, content.ErrInvalid) {
		t.Errorf("a bare name without a repository: %+v, %v", report, err)
	}
}

// TestFailures: what fails stops nothing else, leaves the old names, and is reported.
func TestFailures(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(4), "app")
	config := fmt.Sprintf(mirror, "tags: {allow: [v0, v1]}") // what is there before
	w.run(config, sync.Options{})
	newer := build.NewLayout()
	var digests []content.Digest
	for i := range 4 {
		d := newer.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("new", fmt.Sprint(i))}}}})
		newer.Tag(fmt.Sprint("v", i), d)
		digests = append(digests, d.Digest)
	}
	w.push(newer, "app")
	m, err := content.ParseManifest(ocispec.MediaTypeImageManifest, w.reg.Manifest("app", "v1"))
	if err != nil {
		t.Fatal(err)
	}
	bad := m.Layers[0].Digest.String()
	w.reg.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, bad) {
			rw.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	}
	two := "sync: [{source: $REG/app, target: 'ocidir://$DIR/mirror', type: repository, prune: {keep: 1, by: name}}, {source: '$REG/none:v1', target: 'ocidir://$DIR/mirror:x', type: image}]"
	report, err := w.try(two, sync.Options{})
	if err != nil || report.Totals.Copied != 3 || report.Totals.Failed != 2 || report.Totals.Pruned != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	for _, r := range report.Images {
		if failed := strings.HasSuffix(r.Target, ":v1") || strings.HasSuffix(r.Target, ":x"); failed != (r.Err != nil) {
			t.Errorf("%+v", r)
		}
	}
	if got := w.names("mirror"); got != "v0 v1 v2 v3" {
		t.Errorf("names %s", got)
	}
	if len(w.warn) != 1 || !strings.Contains(w.warn[0], "nothing is pruned") {
		t.Errorf("warnings %q", w.warn)
	}

	w.reg.Fault = nil
	lock := report.Lock(sync.Lock{})
	if len(lock.Images) != 3 {
		t.Errorf("the lock has %v", lock)
	}
	report, err = w.try(two, sync.Options{AbortOnError: true})
	if err != nil || report.Totals.Failed != 1 || report.Totals.Copied != 0 {
		t.Errorf("%+v, %v", report.Totals, err)
	}
	_ = digests
}

// TestLock: with a lock what it says is copied, whatever the tags are by now.
func TestLock(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(2), "app")
	config := fmt.Sprintf(mirror, "")
	lock := w.run(config, sync.Options{Check: true}).Lock(sync.Lock{})
	newer := build.NewLayout()
	newer.Tag("v1", newer.Image(build.Image{}))
	newer.Tag("v9", newer.Image(build.Image{}))
	w.push(newer, "app")
	report := w.run(config, sync.Options{Lock: &lock})
	for _, request := range w.reg.Requests() {
		if strings.HasSuffix(request, "/tags/list") || strings.HasSuffix(request, "/v1") {
			t.Errorf("%s was asked", request)
		}
	}
	if len(report.Images) != 2 || report.Images[1].New != lock.Images[1].Digest || w.names("mirror") != "v0 v1" {
		t.Errorf("%+v", report)
	}
	w.run(config, sync.Options{Lock: &lock})
	w.requests("again with a lock", 1)
	lock.Images[1].Digest = content.Digest("sha256:" + strings.Repeat("a", 64))
	report, err := w.try(config, sync.Options{Lock: &lock})
	if err != nil || report.Totals.Failed != 1 || !errors.Is(report.Images[1].Err, content.ErrNotFound) {
		t.Errorf("content that is gone: %+v, %v", report, err)
	}
	report, err = w.try("sync: [{source: '$REG/app:v9', target: 'ocidir://$DIR/x:y', type: image}]", sync.Options{Lock: &lock})
	if err != nil || !errors.Is(report.Images[0].Err, content.ErrNotFound) {
		t.Errorf("a source that is not in the lock: %+v, %v", report, err)
	}
}

// TestPlatforms: one image of an index by itself, or a sparse index.
func TestPlatforms(t *testing.T) {
	w := newWorld(t)
	l := build.NewLayout()
	amd, arm := l.Image(build.Image{}), l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	index := l.Index(amd, arm)
	l.Tag("app", index)
	w.push(l, "app")
	config := `
sync:
- {source: '$REG/app:app', target: 'ocidir://$DIR/m:arm', type: image, platform: linux/arm64}
- {source: '$REG/app:app', target: 'ocidir://$DIR/m:sparse', type: image, platforms: [linux/amd64]}
- {source: '$REG/app:app', target: 'ocidir://$DIR/n:none', type: image, platform: linux/s390x}`
	report, err := w.try(config, sync.Options{})
	if err != nil || report.Images[0].New != arm.Digest || report.Images[1].New != index.Digest || !errors.Is(report.Images[2].Err, content.ErrNotFound) {
		t.Errorf("%+v, %v", report, err)
	}
	if report, _ = w.try(config, sync.Options{}); report.Totals.Unchanged != 2 {
		t.Errorf("again: %+v", report)
	}
	some := "sync: [{source: '%s', target: 'ocidir://$DIR/%s:app', type: image, platforms: [linux/arm64, linux/s390x, unknown/unknown]}]"
	w.run(fmt.Sprintf(some, "$REG/app:app", "o"), sync.Options{})
	w.run(fmt.Sprintf(some, "ocidir://$DIR/o:app", "p"), sync.Options{})
	for _, path := range []string{"o", "p"} {
		r, err := layout.OpenReader(filepath.Join(w.dir, path), layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, noAMD := r.Size(t.Context(), amd.Digest)
		_, noARM := r.Size(t.Context(), arm.Digest)
		if err := r.Close(); err != nil || noAMD == nil || noARM != nil {
			t.Errorf("%s: of amd64 %v, of arm64 %v, %v", path, noAMD, noARM, err)
		}
	}
	w.names("m")
}

// TestNewest: the newest by the time at which they were made.
func TestNewest(t *testing.T) {
	w := newWorld(t)
	l := build.NewLayout()
	for i, name := range []string{"c", "a", "b"} {
		at := build.Clock.Add(time.Duration(i) * time.Hour)
		l.Tag(name, l.Image(build.Image{EditConfig: func(c *ocispec.Image) { c.Created = &at }}))
	}
	w.push(l, "app")
	w.run(fmt.Sprintf(mirror, "select: {sortBy: created, limit: 2}"), sync.Options{})
	if got := w.names("mirror"); got != "a b" {
		t.Errorf("names %s", got)
	}
}

func TestOnly(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(1), "app")
	config := "sync: [{name: one, source: '$REG/app:v0', target: 'ocidir://$DIR/m:1', type: image}, {source: '$REG/app:v0', target: 'ocidir://$DIR/m:2', type: image}]"
	w.run(config, sync.Options{Only: []string{"one"}})
	if got := w.names("m"); got != "1" {
		t.Errorf("names %s", got)
	}
	if _, err := w.try(config, sync.Options{Only: []string{"two"}}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
}

// TestInterrupted: when the context ends, names are as they were.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	old := build.NewLayout()
	was := old.Image(build.Image{})
	old.Tag("v0", was)
	w.push(old, "app")
	w.run(fmt.Sprintf(mirror, ""), sync.Options{})
	w.push(siblings(3), "app")
	ctx, stop := context.WithCancel(t.Context())
	w.reg.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			stop()
		}
		return false
	}
	c, err := sync.ParseConfig("sync.yaml", []byte(w.expand(fmt.Sprintf(mirror, ""))), sync.System())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sync.Run(ctx, c, c.Session(w.options()), sync.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := w.names("mirror"); got != "v0" {
		t.Errorf("names %s", got)
	}
	w.reg.Fault = nil
	report := w.run(fmt.Sprintf(mirror, ""), sync.Options{})
	if report.Totals.Copied != 3 || report.Images[0].Old != was.Digest {
		t.Errorf("afterwards: %+v", report)
	}
}

// TestWhatGoesAlong: referrers, those that a filter takes, and cosign's tags, each
// without the others, in every direction.
func TestWhatGoesAlong(t *testing.T) {
	for _, c := range []struct {
		keys      string
		referrers int
		cosign    bool
	}{
		{"referrers: true", 3, false},
		{"digestTags: true", 0, true},
		{"referrers: true, digestTags: true", 3, true},
		{"referrers: true, referrerFilters: [{artifactType: a/sbom}]", 1, false},
		{"referrers: true, referrerFilters: [{artifactType: a/sbom}, {annotations: {kind: }}]", 2, false},
		{"referrers: true, referrerFilters: [{artifactType: a/sbom, annotations: {kind: x}}, {annotations: {kind: other}}]", 0, false},
		{"", 0, false},
	} {
		w := newWorld(t)
		l := build.NewLayout()
		d := l.Image(build.Image{})
		l.Tag("app", d)
		noted := l.Image(build.Image{Subject: &d, Annotations: map[string]string{"kind": "x"}, EditManifest: func(m *ocispec.Manifest) { m.ArtifactType = "a/noted" }})
		sbom := l.Artifact("a/sbom", &d, []byte("sbom"))
		signature := l.Artifact("a/signature", &sbom, []byte("signature of the sbom"))
		l.Tag("sha256-"+d.Digest.Encoded()+".att", l.Artifact("a/cosign", nil, []byte("attestation")))
		path := testkit.Layout(t, l)
		dst, err := layout.Open(path, layout.Options{NoSync: true})
		if err == nil {
			err = dst.Update(t.Context(), func(tx *layout.Tx) error {
				return errors.Join(tx.AddReferrer(t.Context(), nil, d, noted, sbom), tx.AddReferrer(t.Context(), nil, sbom, signature))
			})
			err = errors.Join(err, dst.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		w.run(strings.NewReplacer("LAYOUT", path, "KEYS", c.keys).Replace(`
defaults: {KEYS}
sync:
- {source: 'ocidir://LAYOUT:app', target: '$REG/one:app', type: image}
- {source: 'ocidir://LAYOUT:app', target: 'ocidir://$DIR/one:app', type: image}
- {source: 'ocidir://LAYOUT:app', target: '$REG/all:app', type: image, referrers: true, digestTags: true, referrerFilters: []}
- {source: '$REG/all:app', target: '$REG/two:app', type: image}
- {source: '$REG/all:app', target: 'ocidir://$DIR/two:app', type: image}`), sync.Options{})
		for _, at := range []string{"one", "two"} {
			r, err := layout.OpenReader(filepath.Join(w.dir, at), layout.Options{})
			if err != nil {
				t.Fatal(err)
			}
			found, err := r.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: d, Recursive: true})
			if err = errors.Join(err, r.Close()); err != nil || len(found) != c.referrers {
				t.Errorf("{%s} %s: %d referrers, want %d (%v)", c.keys, at, len(found), c.referrers, err)
			}
			there := 0
			for _, d := range []content.Descriptor{noted, sbom, signature} {
				if w.reg.Manifest(at, d.Digest.String()) != nil {
					there++
				}
			}
			if there != c.referrers {
				t.Errorf("{%s} registry %s: %d referrers, want %d", c.keys, at, there, c.referrers)
			}
			if strings.Contains(w.names(at), ".att") != c.cosign || (len(w.reg.Tags(at)) == 2) != c.cosign {
				t.Errorf("{%s} %s: %s and %s, want cosign's tags: %v", c.keys, at, w.names(at), w.reg.Tags(at), c.cosign)
			}
		}
	}
}

// TestCheckReferrers: a check tells whether there is anything new that refers to what
// the target has.
func TestCheckReferrers(t *testing.T) {
	w := newWorld(t)
	l, d := family("x")
	w.push(l, "app")
	for _, target := range []string{"ocidir://$DIR/m", "$REG/copy"} {
		for _, keys := range []string{"referrers: true", "digestTags: true", "referrers: true, digestTags: true", "forceRecursive: true"} {
			config := fmt.Sprintf("sync: [{source: '$REG/app', target: '%s', type: repository, tags: {allow: [app]}, %s}]", target, keys)
			w.run(config, sync.Options{})
			if check := w.run(config, sync.Options{Check: true}); check.Changes() || check.Images[0].Action != sync.ActionKeep {
				t.Errorf("{%s} to %s: %+v", keys, target, check)
			}
		}
	}
	newer := build.NewLayout()
	newer.Tag("app", newer.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("a", "x")}}}}))
	newer.Tag("sha256-"+d.Digest.Encoded()+".att", newer.Artifact("a/cosign", nil, []byte("another attestation")))
	newer.Attach(d, "a/other", []byte("other"))
	w.push(newer, "app")
	for _, target := range []string{"ocidir://$DIR/m", "$REG/copy"} {
		for keys, want := range map[string]sync.Action{
			"referrers: true": sync.ActionRefresh, "digestTags: true": sync.ActionRefresh, "forceRecursive: true": sync.ActionKeep,
			"referrers: true, referrerFilters: [{artifactType: a/none}]": sync.ActionKeep,
		} {
			config := fmt.Sprintf("sync: [{source: '$REG/app', target: '%s', type: repository, tags: {allow: [app]}, %s}]", target, keys)
			if check := w.run(config, sync.Options{Check: true}); check.Images[0].Action != want || check.Changes() != (want == sync.ActionRefresh) {
				t.Errorf("{%s} to %s: %+v", keys, target, check)
			}
		}
	}
}

// TestPruneRegistry: tags of a registry go by the same rules, cosign's and the lists of
// referrers stay.
func TestPruneRegistry(t *testing.T) {
	w := newWorld(t)
	w.reg.NoReferrers = true
	for i, name := range []string{"1.0", "1.1", "1.2"} {
		l := build.NewLayout()
		at := build.Clock.Add(time.Duration(-i) * time.Hour)
		d := l.Image(build.Image{EditConfig: func(c *ocispec.Image) { c.Created = &at }})
		l.Tag(name, d)
		l.Attach(d, "a/sbom", []byte(name))
		w.push(l, "app")
	}
	config := "sync: [{name: a, source: '$REG/app', target: '$REG/copy', type: repository, referrers: true, prune: {keep: 2, by: %s}}]"
	check := w.run(fmt.Sprintf(config, "semver"), sync.Options{Check: true})
	done := w.run(fmt.Sprintf(config, "semver"), sync.Options{})
	if len(check.Pruned) != 1 || check.Pruned[0].Target != done.Pruned[0].Target || check.Pruned[0].Reason != done.Pruned[0].Reason || done.Pruned[0].Digest == "" {
		t.Errorf("check %+v, run %+v", check.Pruned, done.Pruned)
	}
	if got := w.reg.Tags("copy"); len(got) != 5 || got[0] != "1.1" || got[1] != "1.2" {
		t.Errorf("left are %s", got)
	}
	done = w.run(fmt.Sprintf(config, "created"), sync.Options{})
	if got := w.reg.Tags("copy"); len(done.Pruned) != 1 || len(got) != 5 || got[0] != "1.0" || got[1] != "1.1" {
		t.Errorf("left are %s", got)
	}
	w.reg.NoDelete = true
	report, err := w.try(fmt.Sprintf(config, "semver"), sync.Options{})
	if err != nil || report.Totals.Failed != 1 || !errors.Is(report.Images[len(report.Images)-1].Err, content.ErrUnsupported) {
		t.Errorf("a registry that does not delete: %+v, %v", report, err)
	}
}

// TestForceRecursive: what a layout lacks, or has wrong, below a digest that it has is
// fetched.
func TestForceRecursive(t *testing.T) {
	w := newWorld(t)
	l := siblings(1)
	w.push(l, "app")
	w.run(fmt.Sprintf(mirror, ""), sync.Options{})
	m, err := content.ParseManifest(ocispec.MediaTypeImageManifest, w.reg.Manifest("app", "v0"))
	if err != nil {
		t.Fatal(err)
	}
	blob := func(i int) string {
		return filepath.Join(w.dir, "mirror", filepath.FromSlash(build.BlobPath(m.Layers[i].Digest)))
	}
	wrong := slices.Clone(l.Blobs[m.Layers[1].Digest])
	wrong[0] ^= 1
	if err := errors.Join(os.Remove(blob(0)), os.Remove(blob(1)), os.WriteFile(blob(1), wrong, 0o644)); err != nil {
		t.Fatal(err)
	}
	if report := w.run(fmt.Sprintf(mirror, "forceRecursive: true"), sync.Options{}); report.Totals.Blobs != 2 {
		t.Errorf("%+v", report)
	}
	w.names("mirror") // which are sound
}

// TestSameLayout: a name becomes another one of the same layout.
func TestSameLayout(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(1), "app")
	w.run("sync: [{source: '$REG/app:v0', target: 'ocidir://$DIR/m:a', type: image}, {source: 'ocidir://$DIR/m:a', target: 'ocidir://$DIR/m:b', type: image}]", sync.Options{})
	if got := w.names("m"); got != "a b" {
		t.Errorf("names %s", got)
	}
}

// TestCredentials: those of the file are used at their registry.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(1), "app")
	w.reg.User, w.reg.Password = "me", "secret"
	t.Setenv("SYNC_TEST_PASSWORD", "secret")
	config := `
creds: [{registry: $REG, tls: disabled, user: %s, pass: '{{env "SYNC_TEST_PASSWORD"}}'}]
sync: [{source: '$REG/app:v0', target: 'ocidir://$DIR/m:v0', type: image}]`
	report, err := w.try(fmt.Sprintf(config, "you"), sync.Options{})
	if err != nil || !errors.Is(report.Images[0].Err, registry.ErrUnauthorized) {
		t.Errorf("somebody else: %+v, %v", report, err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "m")); err == nil {
		t.Error("there is a layout, and nothing in it")
	}
	w.run(fmt.Sprintf(config, "me"), sync.Options{})
	if got := w.names("m"); got != "v0" {
		t.Errorf("names %s", got)
	}
}

// TestRateLimit: while the source lets fewer requests through than ratelimit.min, nothing
// is read from it.
func TestRateLimit(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(30), "app")
	var mu gosync.Mutex // for these two
	left, waits := 10, 0
	w.reg.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(r.URL.Path, "/manifests/") {
			if r.Method == http.MethodGet {
				if left < 5 {
					t.Error("a manifest is read though the limit is reached")
				}
				left--
			} else if waits > 0 {
				left = 100
			}
			rw.Header().Set("RateLimit-Remaining", fmt.Sprintf("%d;w=21600", left))
		}
		return false
	}
	c, err := sync.ParseConfig("sync.yaml", []byte(w.expand(fmt.Sprintf(mirror, "ratelimit: {min: 6}"))), sync.System())
	if err != nil {
		t.Fatal(err)
	}
	c.Sync[0].RateLimit.Retry.Duration = time.Millisecond // shorter than the file may say
	report, err := sync.Run(t.Context(), c, c.Session(w.options()), sync.Options{Warn: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if waits++; !strings.Contains(err.Error(), "fewer than 6: waiting") {
			t.Error(err)
		}
	}})
	if err != nil || report.Totals.Copied != 30 || waits == 0 {
		t.Errorf("%+v, %v, after %d waits", report.Totals, err, waits)
	}
}
