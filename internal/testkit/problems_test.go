package testkit_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
	"github.com/ocilayout/ocilayout/layout"
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
	ids, documented := problemIDs(t), documentedIDs(t)
	if len(ids) < 30 {
		t.Fatalf("found the ids %v only", ids)
	}
	for _, id := range ids {
		if !shown[id] {
			t.Errorf("no vector shows %s", id)
		}
		if documented[id] == nil {
			t.Errorf("docs/verify.md does not list %s", id)
		}
	}
	for id := range documented {
		if !slices.Contains(ids, id) {
			t.Errorf("docs/verify.md lists %s, which verify does not report", id)
		}
	}
}

// documentedIDs reads from the tables of docs/verify.md which severities an id has: a
// row begins with the id, and some cell of it, or its end, is the word.
func documentedIDs(t *testing.T) map[string]map[verify.Severity]bool {
	t.Helper()
	docs, err := os.ReadFile("../../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]map[verify.Severity]bool{}
	heading := ""
	for line := range strings.Lines(string(docs)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) < 3 {
			heading = ""
			continue
		}
		if heading == "" {
			heading = strings.TrimSpace(cells[0])
		}
		if heading != "id" || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
			continue
		}
		id := strings.Trim(strings.TrimSpace(cells[0]), "`")
		if ids[id] == nil {
			ids[id] = map[verify.Severity]bool{}
		}
		for _, cell := range cells[2:] {
			for _, s := range []verify.Severity{verify.SeverityError, verify.SeverityWarning, verify.SeverityNote} {
				if strings.HasSuffix(strings.TrimSpace(cell), string(s)) {
					ids[id][s] = true
				}
			}
		}
	}
	return ids
}

// TestDocumentedSeverities: what verify says of every vector of a layout has a severity
// that its documentation gives the id.
func TestDocumentedSeverities(t *testing.T) {
	all, err := vector.Load("../../testdata/vectors", leastVectors)
	if err != nil {
		t.Fatal(err)
	}
	documented := documentedIDs(t)
	shown := map[string]map[verify.Severity]bool{}
	for _, v := range all {
		if v.Kind != "layout" && v.Kind != "index" && v.Kind != "manifest" {
			continue
		}
		dir := filepath.Join(t.TempDir(), "layout")
		if err := build.WriteDir(dir, v.Files()...); err != nil {
			t.Fatal(err)
		}
		r, err := layout.OpenReader(dir, layout.Options{})
		if err != nil {
			continue // told by TestVectors
		}
		report, err := verify.Check(context.Background(), r, nil, optionsOf(t, v))
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		for _, p := range report.Problems {
			if p.Consumer != "" {
				continue
			}
			if !documented[p.ID][p.Severity] {
				t.Errorf("%s: %s is not documented as %s: %s", v.Name, p.ID, p.Severity, p.Message)
			}
			if shown[p.ID] == nil {
				shown[p.ID] = map[verify.Severity]bool{}
			}
			shown[p.ID][p.Severity] = true
		}
	}
	for id, severities := range documented {
		for s := range severities {
			if !shown[id][s] && id != verify.BlobUnreadable {
				t.Errorf("%s is documented as %s, and no vector shows that", id, s)
			}
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
