package layout

import (
	"os"
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
