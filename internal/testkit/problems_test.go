package testkit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/vector"
	"github.com/ocilayout/ocilayout/verify"
)

// TestEveryProblem: there is a vector for every id that verify has, and a line in
// its documentation.
func TestEveryProblem(t *testing.T) {
	all, err := vector.Load("../../testdata/vectors", leastVectors)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{
		verify.BlobUnreadable: true, // needs a disk that fails
	}
	for _, v := range all {
		for _, id := range v.Problem {
			shown[id] = true
		}
	}
	docs, err := os.ReadFile("../../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := problemIDs(t)
	if len(ids) < 30 {
		t.Fatalf("found the ids %v only", ids)
	}
	for _, id := range ids {
		if !shown[id] {
			t.Errorf("no vector shows %s", id)
		}
		if !strings.Contains(string(docs), "| `"+id+"` |") {
			t.Errorf("docs/verify.md does not list %s", id)
		}
	}
}

// problemIDs are the values of the constants of verify that are plain strings.
func problemIDs(t *testing.T) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "../../verify/problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type != nil || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			id, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		return true
	})
	return ids
}
