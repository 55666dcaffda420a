package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnlistedDirectoryIsNamed: where a directory can't be listed the error says
// which, not ".".
func TestUnlistedDirectoryIsNamed(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := namesIn(root); err == nil || !strings.Contains(err.Error(), dir+":") {
		t.Errorf("namesIn of a closed directory: %v; want it to name %s", err, dir)
	}
}

// TestRemovedDirectoryIsEmpty: a writer may remove its directory while gc looks at it.
func TestRemovedDirectoryIsEmpty(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "writer")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }() // only a handle
	if err := os.Remove(dir); err != nil {
		t.Skipf("an open directory can't be removed here: %v", err)
	}
	if names, err := namesIn(root); len(names) > 0 || err != nil {
		t.Errorf("a removed directory has %q, %v", names, err)
	}
}
