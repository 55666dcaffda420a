package hello_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/hello"
)

// TestArchive holds testdata/hello-docker.tar to its generator.
func TestArchive(t *testing.T) {
	const path = "../../../testdata/hello-docker.tar"
	want := hello.Archive()
	if os.Getenv("OCILAYOUT_UPDATE") == "1" {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s differs from its generator; OCILAYOUT_UPDATE=1 go test ./internal/testkit/hello writes it", path)
	}
}
