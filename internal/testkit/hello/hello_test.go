package hello_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/hello"
)

var update = flag.Bool("update", false, "write the generated files of testdata anew")

// TestArchive holds testdata/hello-docker.tar to its generator.
func TestArchive(t *testing.T) {
	const path = "../../../testdata/hello-docker.tar"
	want := hello.Archive()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s differs from its generator; go test ./internal/testkit/hello -update writes it", path)
	}
}
