package gen_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/gen"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

const dir = "../../../testdata/vectors"

// TestFiles holds testdata/vectors to its generators: every vector is there with
// the bytes that its generator gives, and nothing else is.
// OCILAYOUT_UPDATE=1 writes them anew.
func TestFiles(t *testing.T) {
	files := map[string][]byte{}
	for _, v := range gen.All() {
		files[v.Name] = v.Bytes()
	}
	if os.Getenv("OCILAYOUT_UPDATE") == "1" {
		write(t, files)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if files[f.Name()] == nil {
			t.Errorf("%s has no generator", f.Name())
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from its generator; go generate ./internal/testkit/gen writes it", name)
		}
		if _, err := vector.Parse(name, got); err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, files map[string][]byte) {
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
