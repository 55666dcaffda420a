package testkit_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// TestLoadsAsWritten: what export wrote for a consumer breaks none of its rules
// as it is, and what the consumer sees is what export said.
func TestLoadsAsWritten(t *testing.T) {
	all, err := vector.Load("../../testdata/vectors", leastVectors)
	if err != nil {
		t.Fatal(err)
	}
	written := map[consumer.Consumer]int{}
	for _, v := range all {
		if v.Kind != "layout" || !whole(v) {
			continue
		}
		dir := filepath.Join(t.TempDir(), "layout")
		if err := build.WriteDir(dir, v.Files()...); err != nil {
			t.Fatal(err)
		}
		r := open(t, dir)
		for _, c := range consumer.All() {
			if names, path, ok := exportFor(t, r, c); ok {
				written[c]++
				loads(t, v.Name, path, c, names)
			}
		}
	}
	for _, c := range consumer.All() {
		if written[c] < 5 {
			t.Errorf("%d archives for %s", written[c], c)
		}
	}
}

// exportFor writes an archive for a consumer, unless that would refuse it.
func exportFor(t *testing.T, r *layout.Reader, c consumer.Consumer) (names []string, path string, ok bool) {
	t.Helper()
	roots, err := export.Select(context.Background(), r, layout.Reference{})
	if errors.Is(err, content.ErrNotFound) {
		return nil, "", false // an empty layout
	}
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "load.tar")
	result, err := export.ToFile(context.Background(), path, roots, export.Options{For: c, Repository: "example.com/app", NoSync: true})
	if err != nil {
		return nil, "", false
	}
	return result.Load.Names, path, true
}

func loads(t *testing.T, name, path string, c consumer.Consumer, names []string) {
	t.Helper()
	r := open(t, path)
	report, err := verify.Check(context.Background(), r, nil, verify.Options{For: []consumer.Consumer{c}})
	if err != nil {
		t.Fatal(err)
	}
	view := report.For[0]
	if !view.Loads || view.Consumer != c || len(view.Names) != len(names) {
		t.Errorf("%s for %s: %+v, want %q; %+v", name, c, view, names, report.Problems)
		return
	}
	for i := range names {
		if view.Names[i] != names[i] {
			t.Errorf("%s for %s: %q, want %q", name, c, view.Names, names)
		}
	}
	for _, p := range report.Problems {
		if p.Consumer != "" && p.Severity != verify.SeverityNote {
			t.Errorf("%s for %s: %+v", name, c, p)
		}
	}
}

// TestLoadsNot: what a consumer would not load as it is has the id of the rule.
func TestLoadsNot(t *testing.T) {
	multi := func() *build.Layout {
		l := build.NewLayout()
		l.Tag("docker.io/library/app:v1", l.Index(l.Image(build.Image{}), l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})))
		return l
	}
	sparse := multi()
	children, err := content.ParseManifest("", sparse.Blobs[sparse.Entries[0].Digest])
	if err != nil {
		t.Fatal(err)
	}
	delete(sparse.Blobs, children.Manifests[1].Digest)
	gone := build.NewLayout()
	gone.Tag("docker.io/library/app:v1", build.Descriptor("application/vnd.oci.image.manifest.v1+json", []byte("gone")))
	for name, c := range map[string]struct {
		l   *build.Layout
		who consumer.Consumer
		id  string
	}{
		"an index for scanners":       {multi(), consumer.Scan, "one-manifest"},
		"a sparse index for kind":     {sparse, consumer.Kind, "platform-absent"},
		"nothing":                     {build.NewLayout(), consumer.Podman, "something"},
		"a manifest that is not here": {gone, consumer.Ctr, "image-absent"},
	} {
		r := open(t, testkit.Layout(t, c.l, testkit.BrokenOK))
		report, err := verify.Check(context.Background(), r, nil, verify.Options{For: []consumer.Consumer{c.who}, AllowMissing: true})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, p := range report.Problems {
			found = found || p.ID == c.id && p.Severity == verify.SeverityError && p.Consumer == c.who
		}
		if report.OK || report.For[0].Loads || !found {
			t.Errorf("%s: %+v, want %s", name, report, c.id)
		}
	}
	// docker and podman load a sparse index as it is
	r := open(t, testkit.Layout(t, sparse, testkit.BrokenOK))
	report, err := verify.Check(context.Background(), r, nil, verify.Options{For: []consumer.Consumer{consumer.Podman, consumer.Ctr}})
	if err != nil || !report.OK {
		t.Errorf("%+v, %v", report, err)
	}
}
