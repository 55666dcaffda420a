package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

func TestReadRegularNoFollow(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, max := range []int64{5, 100} {
		if data, err := durable.ReadRegularNoFollow(file, max); err != nil || string(data) != "hello" {
			t.Errorf("at most %d: %q, %v", max, data, err)
		}
	}
	if _, err := durable.ReadRegularNoFollow(file, 4); !errors.Is(err, content.ErrRefused) {
		t.Errorf("a larger one: %v", err)
	}
	if _, err := durable.ReadRegularNoFollow(dir, 100); !errors.Is(err, content.ErrRefused) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := durable.ReadRegularNoFollow(filepath.Join(dir, "absent"), 100); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent one: %v", err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Skip(err)
	}
	if _, err := durable.ReadRegularNoFollow(link, 100); !errors.Is(err, content.ErrRefused) {
		t.Errorf("a link: %v", err)
	}
}
