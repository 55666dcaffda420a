package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// TestVectors runs the command that each vector is for, and holds it to the exit
// code in the vector's header: verify for layouts, import for other archives.
func TestVectors(t *testing.T) {
	all, err := vector.Load("../../testdata/vectors", 280)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		dir := t.TempDir()
		in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
		args := []string{"verify", in}
		switch v.Kind {
		case "reference", "platform":
			continue // are no command's only argument
		case "rootfs":
			args = []string{"import", "--rootfs", in, out + ":rootfs"}
		case "docker-archive":
			args = []string{"import", in, out}
		}
		switch v.Kind {
		case "layout", "index", "manifest":
			err = build.WriteDir(in, v.Files()...)
		default:
			err = os.WriteFile(in, v.Body, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		var output bytes.Buffer
		code := run(append(args, "--no-sync"), nil, &output, &output)
		if code != v.Exit {
			t.Errorf("%s: %s exits %d, want %d\n%s", v.Name, args[0], code, v.Exit, output.Bytes())
		}
	}
}
