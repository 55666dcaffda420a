package mutate_test

import (
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// elsewhere takes all names out of a layout, as another process would, and collects.
func elsewhere(t *testing.T, path string) {
	t.Helper()
	other, err := layout.Open(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = other.Update(t.Context(), func(tx *layout.Tx) error {
		_, err := tx.Remove(func(layout.Entry) bool { return true })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.GC(t.Context(), layout.GCOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestApplyBesideGC edits an index which another process deletes, and collects, before
// the result is saved: what the result shares with it is still there.
func TestApplyBesideGC(t *testing.T) {
	l, _ := twoPlatforms()
	dst := opened(t, l)
	root, err := dst.Lookup(t.Context(), layout.Reference{})
	if err != nil {
		t.Fatal(err)
	}
	b := dst.Batch()
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := mutate.Apply(t.Context(), b, root, []mutate.Edit{flagged(t, "env", "[linux/amd64]A=b")}, mutate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere(t, dst.Path())
	if _, err := mutate.Save(t.Context(), dst, b, r, mutate.SaveOptions{Name: "kept"}); err != nil {
		t.Fatal(err)
	}
	// That nothing is missing is found by the verification of the layout.
}

// TestAddedLayerBesideGC adds a layer by its digest, which nothing leads to until the
// result does.
func TestAddedLayerBesideGC(t *testing.T) {
	l, _ := twoPlatforms()
	tarball := build.Tar(build.Text("f", "f"))
	d := l.Put("", tarball)
	l.Add(d)
	dst := opened(t, l)
	root, err := dst.Lookup(t.Context(), layout.Reference{Name: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	b := dst.Batch()
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	add := "media-type=application/vnd.oci.image.layer.v1.tar,digest=" + d.Digest.String() + ",diff-id=" + d.Digest.String()
	r, err := mutate.Apply(t.Context(), b, root, []mutate.Edit{flagged(t, "layer-add", add)}, mutate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere(t, dst.Path())
	if _, err := mutate.Save(t.Context(), dst, b, r, mutate.SaveOptions{Name: "kept"}); err != nil {
		t.Fatal(err)
	}
}
