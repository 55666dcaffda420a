package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// TestVectors runs the command that each vector is for, and holds it to the exit
// code in the vector's header: verify for layouts, import for other archives.
func TestVectors(t *testing.T) {
	all, err := vector.Load("../../testdata/vectors", 310)
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
		args = append(args, wantedArgs(t, v, dir)...)
		var output bytes.Buffer
		code := run(append(args, "--no-sync"), nil, &output, &output)
		if code != v.Exit {
			t.Errorf("%s: %s exits %d, want %d\n%s", v.Name, args[0], code, v.Exit, output.Bytes())
		}
	}
}

// wantedArgs are the flags of verify for what the header of a vector asks for.
func wantedArgs(t *testing.T, v vector.Vector, dir string) (args []string) {
	for _, flag := range []string{"level", "for"} {
		if value := v.Values[flag]; value != "" {
			args = append(args, "--"+flag, value)
		}
	}
	if v.Values["require"] != "" {
		for want := range strings.SplitSeq(v.Values["require"], ", ") {
			args = append(args, "--require", want)
		}
	}
	if v.Values["allow-missing"] == "true" {
		args = append(args, "--allow-missing")
	}
	if text := v.Values["expect-file"]; text != "" {
		file := filepath.Join(dir, "expected")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--expect", file)
	}
	return args
}
