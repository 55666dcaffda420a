package layout_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// beingWritten empties a file and writes it again a moment later, as tools do that
// write in place, while do runs.
func beingWritten(t *testing.T, path string, do func() error) {
	t.Helper()
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
	if err := do(); err != nil {
		t.Error(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

// TestTornMarker: an oci-layout that another tool is writing in place is waited for.
func TestTornMarker(t *testing.T) {
	dir := testkit.Layout(t, build.Hello())
	beingWritten(t, filepath.Join(dir, "oci-layout"), func() error {
		r, err := layout.OpenReader(dir, layout.Options{})
		if err == nil {
			err = r.Close()
		}
		return err
	})
}

// TestUpdateMarks: a change makes a layout of old tools' whole.
func TestUpdateMarks(t *testing.T) {
	hello := build.Hello()
	dir := testkit.Layout(t, hello)
	marker := filepath.Join(dir, "oci-layout")
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []bool{false, true} {
		err := l.Update(t.Context(), func(tx *layout.Tx) error {
			if !change {
				return nil
			}
			_, err := tx.Tag(layout.NewEntry(hello.Entries[0]), "v2", layout.Overwrite)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(marker); (err == nil) != change {
			t.Errorf("changed %v: %v", change, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTornManifest: so is a manifest that is named meanwhile.
func TestTornManifest(t *testing.T) {
	hello := build.Hello()
	dir := testkit.Layout(t, hello)
	manifest := hello.Entries[0]
	manifest.Annotations = nil
	beingWritten(t, filepath.Join(dir, build.BlobPath(manifest.Digest)), func() error {
		l, err := layout.Open(dir, layout.Options{})
		if err != nil {
			return err
		}
		err = l.Update(t.Context(), func(tx *layout.Tx) error {
			_, err := tx.Tag(layout.NewEntry(manifest), "v2", layout.Overwrite)
			return err
		})
		return errors.Join(err, l.Close())
	})
}
