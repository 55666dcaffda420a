package registry_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// TestTag: more tags for the same bytes, in one request each.
func TestTag(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built, app := family()
	other := built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "s390x"}})
	built.Tag("other", other)
	src := reader(t, built)
	push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{NoReferrers: true})
	push(t, src, "other", at(t, reg, "app:other"), ro, registry.PushOptions{})
	reg.Requests()
	tag := func(policy layout.Policy, tags ...string) ([]layout.Change, error) {
		return registry.Tag(t.Context(), session(ro), at(t, reg, "app:v1"), tags, policy)
	}
	changes, err := tag(layout.Overwrite, "v1.0", "latest")
	if err != nil || len(changes) != 2 || changes[1].Name != reg.Host()+"/app:latest" || changes[1].New != app.Digest {
		t.Errorf("got %+v, %v", changes, err)
	}
	wantRequests(t, reg, "two tags", 3)
	for _, name := range []string{"v1.0", "latest"} {
		if !slices.Equal(reg.Manifest("app", name), built.Blobs[app.Digest]) {
			t.Errorf("%s is another", name)
		}
	}
	if _, err := tag(layout.Fail, "new", "other"); !errors.Is(err, content.ErrConflict) || reg.Manifest("app", "new") != nil {
		t.Errorf("got %v", err)
	}
	reg.Requests()
	changes, err = tag(layout.Skip, "new", "other", "latest")
	if err != nil || !changes[1].Skipped || changes[1].Old != other.Digest || changes[2].Old != app.Digest || reg.Manifest("app", "new") == nil {
		t.Errorf("got %+v, %v", changes, err)
	}
	wantRequests(t, reg, "three tags, two of which are there", 5)
	if _, err := tag(layout.Overwrite, "a b"); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	wantRequests(t, reg, "what can't be a tag", 0)
}

// TestUntag: a tag goes and nothing else, or nothing does.
func TestUntag(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built, app := family()
	push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{Tags: []string{"latest"}})
	reg.Requests()
	warned := 0
	ro.Warn = func(error) { warned++ }
	untag := func(refs ...string) ([]layout.Change, error) {
		var list []registry.Reference
		for _, ref := range refs {
			list = append(list, at(t, reg, ref))
		}
		return registry.Untag(t.Context(), session(ro), list)
	}
	for _, ref := range []string{"app", "app@" + app.Digest.String(), "app:v1@" + app.Digest.String()} {
		if _, err := untag("app:v1", ref); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, err := untag("app:none"); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	reg.NoDelete = true
	if _, err := untag("app:v1"); !errors.Is(err, content.ErrUnsupported) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	reg.NoDelete = false
	reg.Requests()
	changes, err := untag("app:v1")
	if err != nil || len(changes) != 1 || changes[0].Old != app.Digest || changes[0].New != "" || warned != 0 {
		t.Errorf("got %+v, %v", changes, err)
	}
	wantRequests(t, reg, "one tag", 3)
	if slices.Contains(reg.Tags("app"), "v1") || reg.Manifest("app", "latest") == nil {
		t.Errorf("tags are %v", reg.Tags("app"))
	}
	reg.TakesAll = true
	if _, err := untag("app:latest"); err != nil || warned != 1 {
		t.Errorf("%d warnings, %v", warned, err)
	}
	for _, r := range reg.Requests() {
		if strings.HasPrefix(r, "DELETE") && strings.Contains(r, "sha256:") {
			t.Errorf("a digest was deleted: %s", r)
		}
	}
}

// TestDelete: what refers to a manifest goes before it, and lists are right afterwards.
func TestDelete(t *testing.T) {
	for _, lacking := range []bool{false, true} {
		reg, ro := fakeregistry.New(t), quick(t)
		reg.NoReferrers = lacking
		built := build.NewLayout()
		app := built.Image(build.Image{})
		built.Tag("app", app)
		sbom, report := built.Artifact("a/sbom", &app, []byte("sbom")), built.Artifact("a/report", &app, []byte("report"))
		built.Tag(build.FallbackTag(app.Digest), built.Index(sbom, report))
		built.Attach(sbom, "a/signature", []byte("signature of the sbom"))
		built.Tag("sha256-"+app.Digest.Encoded()+".sig", built.Artifact("a/cosign", nil, []byte("signature")))
		push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
		before := string(reg.Manifest("app", build.FallbackTag(app.Digest)))
		remove := func(d content.Descriptor, withReferrers bool) (layout.Deletion, error) {
			return registry.Delete(t.Context(), session(ro), at(t, reg, "app@"+d.Digest.String()), withReferrers)
		}

		done, err := remove(report, false)
		if err != nil || done.Left != 0 || reg.Manifest("app", report.Digest.String()) != nil {
			t.Errorf("%+v, %v", done, err)
		}
		list := string(reg.Manifest("app", build.FallbackTag(app.Digest)))
		if lacking && (strings.Contains(list, report.Digest.String()) || !strings.Contains(list, sbom.Digest.String()) || len(list) >= len(before)) {
			t.Errorf("the list is %s", list)
		}
		reg.Requests()
		done, err = remove(app, true)
		if err != nil || len(done.Referrers) != 3 || done.Referrers[0] != sbom.Digest {
			t.Errorf("without the API %v: %+v, %v", lacking, done, err)
		}
		var order []string
		for _, r := range reg.Requests() {
			if strings.HasPrefix(r, "DELETE") {
				order = append(order, r)
			}
		}
		if place := func(d content.Descriptor) int {
			return slices.IndexFunc(order, func(r string) bool { return strings.HasSuffix(r, d.Digest.String()) })
		}; place(app) != 3 || place(sbom) < 1 {
			t.Errorf("deleted in this order: %v", order)
		}
		if tags := reg.Tags("app"); len(tags) > 0 {
			t.Errorf("without the API %v, tags are left: %v", lacking, tags)
		}
		if _, err := remove(app, false); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("again: %v", err)
		}
	}
}

// TestDeleteRequests holds the numbers of docs/registries.md.
func TestDeleteRequests(t *testing.T) {
	for _, lacking := range []bool{false, true} {
		reg, ro := fakeregistry.New(t), quick(t)
		reg.NoReferrers = lacking
		built, d := fiveLayers()
		push(t, reader(t, built), "v1", at(t, reg, "alone:v1"), ro, registry.PushOptions{})
		built.Attach(d, "a/sbom", []byte("sbom"))
		push(t, reader(t, built), "v1", at(t, reg, "signed:v1"), ro, registry.PushOptions{})
		reg.Requests()
		for _, c := range []struct {
			repo          string
			withReferrers bool
			want          [2]int
		}{{"alone", false, [2]int{3, 4}}, {"signed", true, [2]int{7, 10}}} {
			if _, err := registry.Delete(t.Context(), session(ro), at(t, reg, c.repo+"@"+d.Digest.String()), c.withReferrers); err != nil {
				t.Fatal(err)
			}
			want := c.want[0]
			if lacking {
				want = c.want[1]
			}
			wantRequests(t, reg, "delete "+c.repo, want)
		}
	}
}

// TestDeleteRefused: what a registry does not delete stays, and so do lists.
func TestDeleteRefused(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	reg.NoReferrers, reg.NoDelete = true, true
	built := build.NewLayout()
	app := built.Image(build.Image{})
	built.Tag("app", app)
	sbom := built.Attach(app, "a/sbom", []byte("sbom"))
	push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	before := reg.Manifest("app", build.FallbackTag(app.Digest))
	for _, d := range []content.Descriptor{app, sbom} {
		if _, err := registry.Delete(t.Context(), session(ro), at(t, reg, "app@"+d.Digest.String()), true); !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	}
	if !slices.Equal(before, reg.Manifest("app", build.FallbackTag(app.Digest))) {
		t.Error("the list has changed")
	}
	if _, err := registry.Delete(t.Context(), session(ro), at(t, reg, "app:v1"), false); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("by a tag: %v", err)
	}
	reg.NoDelete = false
	done, err := registry.Delete(t.Context(), session(ro), at(t, reg, "app@"+app.Digest.String()), false)
	if err != nil || done.Left != 1 {
		t.Errorf("got %+v, %v", done, err)
	}
}

// TestRepositories lists what a registry has, if it says so.
func TestRepositories(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built, _ := fiveLayers()
	for _, repo := range []string{"app", "team/app", "team/db", "tool", "x"} {
		push(t, reader(t, built), "v1", at(t, reg, repo+":v1"), ro, registry.PushOptions{})
	}
	reg.Requests()
	names, err := registry.Repositories(t.Context(), session(ro), reg.Host())
	if err != nil || strings.Join(names, " ") != "app team/app team/db tool x" {
		t.Errorf("got %v, %v", names, err)
	}
	wantRequests(t, reg, "three pages", 3)
	for text, want := range map[string]error{`{"repositories":["../x"]}`: content.ErrCorrupt, `{"repositories":["a:b"]}`: content.ErrCorrupt, `[]`: content.ErrCorrupt} {
		reg.Fault = func(w http.ResponseWriter, r *http.Request) bool { _, _ = w.Write([]byte(text)); return true }
		if _, err := registry.Repositories(t.Context(), session(ro), reg.Host()); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	reg.Fault = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true }
	if _, err := registry.Repositories(t.Context(), session(ro), reg.Host()); !errors.Is(err, registry.ErrDenied) || !strings.Contains(err.Error(), "does not list") {
		t.Errorf("got %v", err)
	}
}
