package mutate_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// TestLayerAddLeavesRoot adds a directory that nobody else may read: the root of the
// image does not become one.
func TestLayerAddLeavesRoot(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "new"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, r := edited(t, build.Hello(), flags(t, "layer-add dir="+dir)...)
	n := len(manifestOf(t, l, r.Entry.Descriptor).Layers)
	for _, h := range headers(t, plain(t, l, r.Entry.Descriptor, n)) {
		if h.Name != "new" {
			t.Errorf("the layer has %q of mode %o", h.Name, h.Mode)
		}
	}
}
