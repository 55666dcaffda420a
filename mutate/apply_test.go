package mutate_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// edited applies edits to the image v1 of l, in a directory that is verified at the
// end, and names the result new.
func edited(t *testing.T, l *build.Layout, edits ...mutate.Edit) (*layout.Layout, mutate.Saved) {
	t.Helper()
	dst := opened(t, l)
	r, err := tryApply(t, dst, edits...)
	if err != nil {
		t.Fatal(err)
	}
	return dst, r
}

// opened is l as a directory.
func opened(t *testing.T, l *build.Layout) *layout.Layout {
	t.Helper()
	dst, err := layout.Open(testkit.Layout(t, l), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
	})
	return dst
}

func tryApply(t *testing.T, l *layout.Layout, edits ...mutate.Edit) (mutate.Saved, error) {
	t.Helper()
	ctx := t.Context()
	root, err := l.Lookup(ctx, layout.Reference{Name: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	b := l.Batch()
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := mutate.Apply(ctx, b, root, edits, mutate.Options{})
	if err != nil {
		return mutate.Saved{}, err
	}
	return mutate.Save(ctx, l, b, r, mutate.SaveOptions{Name: "new"})
}

// edit makes an edit of a function.
func edit(f func(im *mutate.Image) error) mutate.Edit {
	return mutate.Edit{Change: mutate.ImageFunc(func(_ context.Context, im *mutate.Image) error { return f(im) })}
}

func blob(t *testing.T, l *layout.Layout, d content.Descriptor) []byte {
	t.Helper()
	data, err := content.FetchAll(t.Context(), l, d, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestUnknownFieldsSurvive changes one field of config, manifest and entry, and holds
// everything else to its bytes.
func TestUnknownFieldsSurvive(t *testing.T) {
	l := build.NewLayout()
	layer := l.Put("application/vnd.oci.image.layer.v1.tar", build.Layer{}.Plain())
	config := []byte(`{
  "os": "linux", "architecture": "amd64",
  "config": {"Healthcheck": {"Test": ["NONE"], "x": 1e3}, "OnBuild": ["RUN \u0041"], "Shell": ["/bin/sh"]},
  "rootfs": {"type": "layers", "diff_ids": [ "` + layer.Digest.String() + `" ], "later": null},
  "history": [ {"created_by": "a", "x": {}} , {"empty_layer": true} ], "moby.x": [1, 2.0]
}`)
	c := l.Put("application/vnd.oci.image.config.v1+json", config)
	manifest := []byte(`{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "` + c.Digest.String() + `", "size": ` + itoa(c.Size) + `, "y": 1},
  "layers": [ {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "` + layer.Digest.String() + `", "size": ` + itoa(layer.Size) + `, "z": [ ]} ], "w": {"a": 1}}`)
	l.Tag("v1", l.Put("application/vnd.oci.image.manifest.v1+json", manifest))
	dst, r := edited(t, l, edit(func(im *mutate.Image) error {
		im.Config.SetString("author", "me")
		return nil
	}))
	got := blob(t, dst, r.Entry.Descriptor)
	for _, want := range []string{`"y":1`, `"z": [ ]`, `"w":{"a": 1}`} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("manifest lacks %s: %s", want, got)
		}
	}
	m, err := rawjson.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	var d content.Descriptor
	decode(t, m.Get("config"), &d)
	conf := blob(t, dst, d)
	for _, want := range []string{`{"Healthcheck": {"Test": ["NONE"], "x": 1e3}, "OnBuild": ["RUN \u0041"], "Shell": ["/bin/sh"]}`,
		`"later": null}`, `[ {"created_by": "a", "x": {}} , {"empty_layer": true} ]`, `[1, 2.0]`, `"author":"me"`} {
		if !bytes.Contains(conf, []byte(want)) {
			t.Errorf("config lacks %s: %s", want, conf)
		}
	}
}

// TestNothingChanges applies an edit that changes nothing.
func TestNothingChanges(t *testing.T) {
	_, r := edited(t, build.Hello(), edit(func(im *mutate.Image) error { return nil }))
	if r.Changed || r.New != r.Old || len(r.Images) > 0 || r.LayersRead > 0 {
		t.Errorf("report of no change: %+v", r.Report)
	}
}
