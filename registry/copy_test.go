package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

func copyImage(t *testing.T, ro registry.Options, from, to registry.Reference, o registry.CopyOptions) registry.CopyReport {
	t.Helper()
	done, err := registry.Copy(t.Context(), session(ro), from, to, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// wantCopy holds how often either side was asked.
func wantCopy(t *testing.T, a, b *fakeregistry.Registry, what string, ofA, ofB int) {
	t.Helper()
	wantRequests(t, a, what+", of the source", ofA)
	if b != a {
		wantRequests(t, b, what+", of the target", ofB)
	}
}

// TestCopyRequests holds the numbers of docs/registries.md.
func TestCopyRequests(t *testing.T) {
	a, b, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
	built, d := fiveLayers()
	push(t, reader(t, built), "v1", at(t, a, "app:v1"), ro, registry.PushOptions{})
	alone := registry.CopyOptions{NoReferrers: true}
	a.Requests()

	done := copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), alone)
	if done.Blobs != 6 || done.Digest != d.Digest || done.Bytes == 0 || !slices.Equal(b.Manifest("app", "v1"), built.Blobs[d.Digest]) {
		t.Errorf("got %+v", done)
	}
	wantCopy(t, a, b, "copy to an empty repository", 7, 14)
	copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), alone)
	wantCopy(t, a, b, "copy again", 1, 1)
	byDigest := at(t, a, "app@"+d.Digest.String())
	if done = copyImage(t, ro, byDigest, at(t, b, "app:v1"), alone); done.Changed() {
		t.Errorf("again: %+v", done)
	}
	wantCopy(t, a, b, "copy again by digest", 0, 1)
	copyImage(t, ro, byDigest, at(t, b, "app:v1"), registry.CopyOptions{NoReferrers: true, Tags: []string{"latest", "v1.0"}})
	wantCopy(t, a, b, "copy by digest to two more tags", 1, 5)
	copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{})
	wantCopy(t, a, b, "copy again with referrers", 3, 1)

	if done = copyImage(t, ro, at(t, a, "app:v1"), at(t, a, "other/app:v1"), alone); done.Mounted != 6 || done.Bytes != 0 {
		t.Errorf("mounted: %+v", done)
	}
	wantCopy(t, a, a, "copy in one registry", 9, 0)
	copyImage(t, ro, at(t, a, "app:v1"), at(t, a, "app:v2"), registry.CopyOptions{})
	wantCopy(t, a, a, "copy in one repository", 3, 0)

	built.Attach(d, "a/sbom", []byte("sbom"))
	push(t, reader(t, built), "v1", at(t, a, "signed:v1"), ro, registry.PushOptions{})
	a.Requests()
	if done = copyImage(t, ro, at(t, a, "signed:v1"), at(t, b, "signed:v1"), registry.CopyOptions{}); done.Referrers != 1 {
		t.Errorf("signed: %+v", done)
	}
	wantCopy(t, a, b, "copy with an SBOM", 13, 19)
	copyImage(t, ro, at(t, a, "signed:v1"), at(t, b, "signed:v1"), registry.CopyOptions{})
	wantCopy(t, a, b, "copy again with an SBOM", 4, 2)
}

// TestCopyFamily: an index and all that belongs to it arrive as they are, whichever side
// has the referrers API.
func TestCopyFamily(t *testing.T) {
	for _, lacking := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		a, b, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
		a.NoReferrers, b.NoReferrers = lacking[0], lacking[1]
		built, _ := family()
		src := reader(t, built)
		push(t, src, "app", at(t, a, "app:v1"), ro, registry.PushOptions{})
		would := copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "new/app:v1"), registry.CopyOptions{DryRun: true})
		if tags := b.Tags("new/app"); len(tags) > 0 {
			t.Errorf("a dry run makes %v", tags)
		}
		done := copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "new/app:v1"), registry.CopyOptions{Tags: []string{"latest"}})
		if done.Referrers != 4 || len(done.Changes) != 3 || would.Referrers != 4 || would.Manifests != done.Manifests-1 {
			t.Errorf("would copy %+v\ncopied %+v", would, done)
		}
		if done = copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "new/app:v1"), registry.CopyOptions{}); done.Changed() {
			t.Errorf("copied again: %+v", done)
		}
		dst := writable(t)
		if _, err := registry.Pull(t.Context(), session(ro), at(t, b, "new/app:v1"), dst, registry.PullOptions{Name: "app"}); err != nil {
			t.Fatal(err)
		}
		diff, err := layout.Diff(t.Context(), src, dst.Reader, layout.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !diff.Equal {
			t.Errorf("without the API %v: %+v", lacking, diff)
		}
	}
}

// TestCopySparse: what an index lists and the source does not have is left out, and so
// is what was not asked for.
func TestCopySparse(t *testing.T) {
	a, b, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
	a.Sparse, b.Sparse = true, true
	built, app := family()
	arm, err := content.ParsePlatform("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	o := registry.PushOptions{Platforms: []content.Platform{arm}}
	push(t, reader(t, built), "app", at(t, a, "app:v1"), ro, o)
	done := copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{})
	if done.Absent != 1 || done.Digest != app.Digest || done.Referrers != 3 {
		t.Errorf("got %+v", done)
	}
	if done = copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{}); done.Changed() {
		t.Errorf("again: %+v", done)
	}
	amd, err := content.ParsePlatform("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	done = copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "none:v1"), registry.CopyOptions{Platforms: []content.Platform{amd}, NoReferrers: true})
	if done.Absent != 2 || done.Blobs != 0 {
		t.Errorf("another platform: %+v", done)
	}
}

// TestCopyPolicies: a tag that has other content moves, or stays, or is an error.
func TestCopyPolicies(t *testing.T) {
	a, b, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
	built, d := fiveLayers()
	push(t, reader(t, built), "v1", at(t, a, "app:v1"), ro, registry.PushOptions{})
	other := build.NewLayout()
	theirs := other.Image(build.Image{})
	other.Tag("v1", theirs)
	push(t, reader(t, other), "v1", at(t, b, "app:v1"), ro, registry.PushOptions{})
	b.Requests()

	_, err := registry.Copy(t.Context(), session(ro), at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{Policy: layout.Fail})
	if !errors.Is(err, content.ErrConflict) {
		t.Errorf("got %v", err)
	}
	done := copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{Policy: layout.Skip})
	if len(done.Changes) != 1 || !done.Changes[0].Skipped || done.Changes[0].Old != theirs.Digest || done.Changed() {
		t.Errorf("skipped: %+v", done)
	}
	wantRequests(t, b, "of the target, which stays", 2)
	done = copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{Policy: layout.Skip, Tags: []string{"new"}})
	if !done.Changed() || !done.Changes[0].Skipped || !slices.Equal(b.Manifest("app", "new"), built.Blobs[d.Digest]) || slices.Equal(b.Manifest("app", "v1"), built.Blobs[d.Digest]) {
		t.Errorf("skipped one: %+v", done)
	}
	done = copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{})
	if done.Changes[0].Old != theirs.Digest || !slices.Equal(b.Manifest("app", "v1"), built.Blobs[d.Digest]) {
		t.Errorf("overwritten: %+v", done)
	}
}

// TestCopyFaults: what goes wrong between two registries for a while is overcome, and
// wrong bytes get no name; the target never has all of them.
func TestCopyFaults(t *testing.T) {
	built, d := fiveLayers()
	m, err := content.ParseManifest(d.MediaType, built.Blobs[d.Digest])
	if err != nil {
		t.Fatal(err)
	}
	layer := m.Layers[2]
	whole := built.Blobs[layer.Digest]
	flipped := slices.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	blob := "/blobs/" + layer.Digest.String()
	for name, test := range map[string]struct {
		ofTarget bool
		method   string
		on       string
		times    int32
		does     http.HandlerFunc
		want     error
	}{
		"the source truncates once": {false, "GET", blob, 1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			_, _ = w.Write(whole[:1000])
		}, nil},
		"the source corrupts":        {false, "GET", blob, 1000, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(flipped) }, content.ErrDigest},
		"the source is short":        {false, "GET", blob, 1000, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole[:1000]) }, content.ErrSize},
		"the source is long":         {false, "GET", blob, 1000, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(append(slices.Clone(whole), 0)) }, content.ErrSize},
		"the source lacks a layer":   {false, "GET", blob, 1000, answer(404), content.ErrMissing},
		"the source denies":          {false, "GET", blob, 1000, answer(403), registry.ErrDenied},
		"the source fails":           {false, "GET", "/referrers/", 1000, answer(500), registry.ErrUnavailable},
		"the source has no such":     {false, "GET", "/manifests/v1", 1000, answer(404), content.ErrNotFound},
		"the target fails at first":  {true, "PUT", "/uploads/", 2, answer(500), nil},
		"the target drops":           {true, "PUT", "/uploads/", 2, drop, nil},
		"the target denies":          {true, "POST", "/uploads/", 1000, answer(403), registry.ErrDenied},
		"the target has no such":     {true, "POST", "/uploads/", 1000, answer(404), content.ErrNotFound},
		"the target limits for good": {true, "HEAD", "/manifests/", 1000, answer(429), registry.ErrRateLimited},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
			push(t, reader(t, built), "v1", at(t, a, "app:v1"), ro, registry.PushOptions{})
			faulty := a
			if test.ofTarget {
				faulty = b
			}
			var n atomic.Int32
			faulty.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != test.method || !strings.Contains(r.URL.Path, test.on) || n.Add(1) > test.times {
					return false
				}
				test.does(w, r)
				return true
			}
			_, err := registry.Copy(t.Context(), session(ro), at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err == nil && !slices.Equal(b.Manifest("app", "v1"), built.Blobs[d.Digest]) {
				t.Error("the manifest is another")
			}
			if err != nil && test.on != "/referrers/" && b.Manifest("app", "v1") != nil || err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("there is a tag, or more than a line: %v", err)
			}
			if b.Whole() > 0 {
				t.Errorf("%d wrong blobs were sent to their last byte", b.Whole())
			}
		})
	}
}

// TestCopyLies: a list of the source that claims too much is no reason to send it.
func TestCopyLies(t *testing.T) {
	a, b, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
	a.NoReferrers = true
	built := build.NewLayout()
	app, other := built.Image(build.Image{}), built.Artifact("a/other", nil, []byte("of nothing"))
	built.Tag("app", app)
	built.Tag("other", other)
	built.Tag("list", built.Index(other))
	src := reader(t, built)
	push(t, src, "app", at(t, a, "app:v1"), ro, registry.PushOptions{})
	push(t, src, "list", at(t, a, "app:"+build.FallbackTag(app.Digest)), ro, registry.PushOptions{})
	warned := 0
	ro.Warn = func(error) { warned++ }
	if done := copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{}); done.Referrers != 0 || warned != 1 {
		t.Errorf("got %+v, %d warnings", done, warned)
	}
	if len(b.Tags("app")) != 1 {
		t.Errorf("tags are %v", b.Tags("app"))
	}
}

// TestCopyStalls: a target that takes nothing more of a blob for a while is sent it again.
func TestCopyStalls(t *testing.T) {
	a, b, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t)
	built := build.NewLayout()
	// More than fits between the two.
	d := built.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("file", string(build.Random(1, 24<<20)))}}}})
	built.Tag("v1", d)
	push(t, reader(t, built), "v1", at(t, a, "app:v1"), ro, registry.PushOptions{})
	var n atomic.Int32
	b.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && strings.Contains(r.URL.Path, "/uploads/") && r.ContentLength > 1<<20 && n.Add(1) == 1 {
			time.Sleep(3 * ro.Stall)
			panic(http.ErrAbortHandler)
		}
		return false
	}
	if done := copyImage(t, ro, at(t, a, "app:v1"), at(t, b, "app:v1"), registry.CopyOptions{}); done.Digest != d.Digest || n.Load() != 2 {
		t.Errorf("got %+v after %d uploads", done, n.Load())
	}
}

// TestCopyAllowance: what comes along is bounded, by default too, and told.
func TestCopyAllowance(t *testing.T) {
	a, ro := fakeregistry.New(t), quick(t)
	built := build.NewLayout()
	app := built.Image(build.Image{})
	built.Tag("app", app)
	sbom, report := built.Artifact("a/sbom", &app, []byte("sbom")), built.Artifact("a/report", &app, []byte(strings.Repeat("report", 1000)))
	built.Tag(build.FallbackTag(app.Digest), built.Index(sbom, report))
	built.Attach(report, "a/sbom", []byte("of the report"))
	push(t, reader(t, built), "app", at(t, a, "app:v1"), ro, registry.PushOptions{})
	for name, test := range map[string]struct {
		o    registry.CopyOptions
		want error
		come int
	}{
		"all":       {registry.CopyOptions{}, nil, 3},
		"one type":  {registry.CopyOptions{ReferrerTypes: []string{"a/sbom"}}, nil, 1},
		"both":      {registry.CopyOptions{ReferrerTypes: []string{"a/sbom", "a/report"}}, nil, 3},
		"enough":    {registry.CopyOptions{MaxReferrers: 3, MaxReferrerBytes: 20_000}, nil, 3},
		"too many":  {registry.CopyOptions{MaxReferrers: 2}, content.ErrRefused, 0},
		"too large": {registry.CopyOptions{MaxReferrerBytes: 5_000}, content.ErrRefused, 0},
	} {
		b := fakeregistry.New(t)
		done, err := registry.Copy(t.Context(), session(ro), at(t, a, "app:v1"), at(t, b, "app:v1"), test.o)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && b.Manifest("app", report.Digest.String()) != nil && name == "too large" {
			t.Errorf("%s: it was sent", name)
		}
		if err == nil && (done.Referrers != test.come || len(done.Brought) != test.come) {
			t.Errorf("%s: %+v", name, done)
		}
	}
}
