package layout_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// TestTornMarker: an oci-layout that another tool is writing in place is waited for.
func TestTornMarker(t *testing.T) {
	dir := testkit.Layout(t, build.Hello())
	path := filepath.Join(dir, "oci-layout")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() {
		time.Sleep(5 * time.Millisecond)
		written <- os.WriteFile(path, whole, 0o644)
	}()
	r, err := layout.OpenReader(dir, layout.Options{})
	if err == nil {
		err = r.Close()
	}
	if err != nil {
		t.Error(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}
