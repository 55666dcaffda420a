package archtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/archtest"
)

// listed is what `go list -json` says of a package.
type listed struct {
	archtest.Package
	Dir     string
	GoFiles []string
}

// list returns the module's packages, and those they import, as they are built
// for goos. It reads the module cache and asks no network.
func list(t *testing.T, goos string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Dir,GoFiles", "./...")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0", "GOPROXY=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []listed
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	return packages
}

// TestHouse holds the module to the table, as it is built for each system.
func TestHouse(t *testing.T) {
	house := archtest.House()
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Run(goos, func(t *testing.T) {
			var graph []archtest.Package
			for _, p := range list(t, goos) {
				graph = append(graph, p.Package)
			}
			missing, planned := house.Absent(graph)
			for _, dir := range missing {
				t.Errorf("%s: the table has a row for it, and it holds no package", dir)
			}
			t.Logf("planned, not there yet: %s", strings.Join(planned, " "))
			for _, sentence := range house.Check(graph) {
				t.Error(sentence)
			}
		})
	}
}

// TestSource looks for what only some packages may do.
func TestSource(t *testing.T) {
	house := archtest.House()
	files := 0
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, p := range list(t, goos) {
			if !strings.HasPrefix(p.ImportPath, house.Module+"/") {
				continue
			}
			fset := token.NewFileSet()
			for _, name := range p.GoFiles {
				file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				files++
				for _, sentence := range house.CheckSource(p.ImportPath, fset, file) {
					t.Error(sentence)
				}
			}
		}
	}
	if files < 100 {
		t.Errorf("looked into %d files only", files)
	}
}

// TestTable checks that the table names only rows and has no circle.
func TestTable(t *testing.T) {
	for _, fault := range archtest.House().Sound() {
		t.Error(fault)
	}
}
