package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
)

// CheckSource returns a sentence for every use in the file that is forbidden to
// the package of that import path. The file is parsed, not type-checked: a
// package is known by its import, a method by its name alone.
func (r Rules) CheckSource(importPath string, fset *token.FileSet, file *ast.File) []string {
	room, ok := r.room(importPath)
	if !ok {
		return nil
	}
	imports := importNames(file)
	var broken []string
	report := func(at token.Pos, what string, use Use) {
		broken = append(broken, fmt.Sprintf("%s: %s: %s", fset.Position(at), what, use.Why))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			name, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, use := range r.Uses {
				if use.Package != "" && imports[name.Name] == use.Package && n.Sel.Name == use.Name &&
					!slices.Contains(use.Except, room.Dir) {
					report(n.Pos(), use.Package+"."+use.Name, use)
				}
			}
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || len(n.Args) != 0 {
				return true
			}
			for _, use := range r.Uses {
				if use.Package == "" && method.Sel.Name == use.Name && !slices.Contains(use.Except, room.Dir) {
					report(n.Pos(), "a call of "+use.Name+"()", use)
				}
			}
		}
		return true
	})
	return broken
}

// importNames maps the names by which a file's imports are used to their paths.
// An import without a name goes by the last part of its path, which holds for the
// standard library's packages that the rules speak of.
func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path
		for i := len(path) - 1; i >= 0; i-- {
			if path[i] == '/' {
				name = path[i+1:]
				break
			}
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
	}
	return names
}
