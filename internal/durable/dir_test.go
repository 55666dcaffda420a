package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/durable"
)

func TestDirReadInto(t *testing.T) {
	path := t.TempDir()
	for name, text := range map[string]string{"file": "hello", "empty": ""} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(path, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	links := os.Symlink("file", filepath.Join(path, "link")) == nil
	d, err := durable.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, tt := range []struct {
		name string
		room int
		want string
		ok   bool
	}{
		{"file", 6, "hello", true},
		{"file", 600, "hello", true},
		{"file", 5, "", false}, // no room to see that there is no more
		{"empty", 1, "", true},
		{"empty", 0, "", false},
		{"dir", 10, "", false},
		{"absent", 10, "", false},
		{"link", 10, "", false},
	} {
		if tt.name == "link" && !links {
			continue
		}
		buf := make([]byte, tt.room)
		n, ok := d.ReadInto(tt.name, buf)
		if ok != tt.ok || ok && string(buf[:n]) != tt.want {
			t.Errorf("%s with room for %d: %q, %v; want %q, %v", tt.name, tt.room, buf[:n], ok, tt.want, tt.ok)
		}
	}
	if links {
		if err := os.Symlink(path, filepath.Join(path, "away")); err != nil {
			t.Fatal(err)
		}
		if d, err := durable.OpenDir(filepath.Join(path, "away")); err == nil && d.Close() == nil && filepath.Separator == '/' {
			t.Error("a link was opened as a directory")
		}
	}
}
