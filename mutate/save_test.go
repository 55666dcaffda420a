package mutate_test

import (
	"errors"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// replaced applies an edit to what ref means and saves it in its place, after meanwhile.
func replaced(t *testing.T, l *layout.Layout, ref layout.Reference, meanwhile func()) (mutate.Saved, error) {
	t.Helper()
	root, err := l.Lookup(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	b := l.Batch()
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := mutate.Apply(t.Context(), b, root, []mutate.Edit{flagged(t, "time", "set=1")}, mutate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	meanwhile()
	return mutate.Save(t.Context(), l, b, r, mutate.SaveOptions{})
}

// TestReplace saves a result in the place of what it was made of: its entry keeps what
// it says besides.
func TestReplace(t *testing.T) {
	l := build.Hello()
	l.Entries[0].Annotations["mine"] = "stays"
	l.Tag("other", l.Entries[0])
	dst := opened(t, l)
	saved, err := replaced(t, dst, layout.Reference{Name: "v1"}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	e, err := dst.Lookup(t.Context(), layout.Reference{Name: "v1"})
	if err != nil || e.Digest != saved.New || e.Annotations["mine"] != "stays" || saved.Name != "v1" {
		t.Errorf("v1 is %+v, %v", e.Descriptor, err)
	}
	if e, err = dst.Lookup(t.Context(), layout.Reference{Name: "other"}); err != nil || e.Digest != saved.Old {
		t.Errorf("other is %+v, %v", e.Descriptor, err)
	}
}

// TestReplaceMoved finds that a name has come to mean something else meanwhile.
func TestReplaceMoved(t *testing.T) {
	l := build.Hello()
	l.Tag("other", l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}}))
	dst := opened(t, l)
	_, err := replaced(t, dst, layout.Reference{Name: "v1"}, func() {
		if _, err := dst.TagNames(t.Context(), layout.Reference{Name: "other"}, []string{"v1"}, layout.TagOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	if !errors.Is(err, content.ErrConflict) {
		t.Errorf("got %v", err)
	}
}

// TestReplaceUntagged saves in the place of an entry without a name.
func TestReplaceUntagged(t *testing.T) {
	l := build.NewLayout()
	l.Add(l.Image(build.Image{}))
	dst := opened(t, l)
	saved, err := replaced(t, dst, layout.Reference{Digest: l.Entries[0].Digest}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	var left []content.Digest
	for one, err := range dst.List(t.Context(), layout.ListOptions{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, one.Digest)
	}
	if len(left) != 1 || left[0] != saved.New {
		t.Errorf("entries: %v", left)
	}
}
