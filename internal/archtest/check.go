// Package archtest holds the module to its architecture: which package may
// import which, what no package may import, and what only one may do. The rules
// are a table (rules.go); the checks are pure functions over the import graph
// and the parsed source, so that they can be tested on graphs that break them.
package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Package is one package of the import graph, as `go list -deps` reports it. The
// imports of its tests are not among its imports.
type Package struct {
	ImportPath string
	Imports    []string
}

// Check returns a sentence for every way in which the module's packages break
// the rules. The graph also holds the packages that they get from elsewhere.
func (r Rules) Check(graph []Package) []string {
	imports := map[string][]string{}
	for _, p := range graph {
		imports[p.ImportPath] = p.Imports
	}
	var broken []string
	for _, p := range graph {
		if !strings.HasPrefix(p.ImportPath, r.Module+"/") {
			continue
		}
		room, ok := r.room(p.ImportPath)
		if !ok {
			broken = append(broken, fmt.Sprintf("%s: is in no room of the table", p.ImportPath))
			continue
		}
		broken = append(broken, r.arrows(p, room)...)
		broken = append(broken, r.banned(p, room, imports)...)
	}
	return broken
}

// Absent returns the rooms that hold none of the packages: those that should
// exist, and those that are planned.
func (r Rules) Absent(packages []Package) (missing, planned []string) {
	present := map[string]bool{}
	for _, p := range packages {
		if room, ok := r.room(p.ImportPath); ok {
			present[room.Dir] = true
		}
	}
	for _, room := range r.Rooms {
		switch {
		case present[room.Dir]:
		case room.Planned:
			planned = append(planned, room.Dir)
		default:
			missing = append(missing, room.Dir)
		}
	}
	return missing, planned
}

// Sound returns a sentence for every fault of the table itself: a room named
// that has no row, and arrows that form a circle.
func (r Rules) Sound() []string {
	rows := map[string]Room{}
	for _, room := range r.Rooms {
		rows[room.Dir] = room
	}
	var faults []string
	named := func(where string, dirs []string) {
		for _, dir := range dirs {
			if _, ok := rows[dir]; !ok {
				faults = append(faults, fmt.Sprintf("%s: names %q, which has no row", where, dir))
			}
		}
	}
	for _, room := range r.Rooms {
		named(room.Dir, room.Imports)
		if r.reaches(rows, room.Dir, room.Imports, map[string]bool{}) {
			faults = append(faults, fmt.Sprintf("%s: its arrows lead back to it", room.Dir))
		}
	}
	for _, ban := range r.Bans {
		named("the ban of "+ban.Import, ban.Except)
	}
	for _, use := range r.Uses {
		named("the ban of "+use.Package+"."+use.Name, use.Except)
	}
	return faults
}

func (r Rules) reaches(rows map[string]Room, target string, from []string, seen map[string]bool) bool {
	for _, dir := range from {
		if dir == target {
			return true
		}
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if r.reaches(rows, target, rows[dir].Imports, seen) {
			return true
		}
	}
	return false
}

// room returns the row with the longest directory that holds the package.
func (r Rules) room(importPath string) (Room, bool) {
	path, ok := strings.CutPrefix(importPath, r.Module+"/")
	if !ok {
		return Room{}, false
	}
	var best Room
	for _, room := range r.Rooms {
		if below(path, room.Dir) && len(room.Dir) > len(best.Dir) {
			best = room
		}
	}
	return best, best.Dir != ""
}

func (r Rules) arrows(p Package, room Room) []string {
	var broken []string
	for _, imported := range p.Imports {
		target, ours := r.room(imported)
		if !ours || target.Dir == room.Dir {
			continue
		}
		switch {
		case target.ForTests && !room.ForTests:
			broken = append(broken, fmt.Sprintf("%s imports %s, which is for tests", p.ImportPath, imported))
		case !slices.Contains(room.Imports, target.Dir):
			broken = append(broken, fmt.Sprintf("%s imports %s, and %s may not import %s",
				p.ImportPath, imported, room.Dir, target.Dir))
		}
	}
	return broken
}

func (r Rules) banned(p Package, room Room, imports map[string][]string) []string {
	var broken []string
	for _, ban := range r.Bans {
		switch {
		case slices.Contains(ban.Except, room.Dir):
		case ban.Deep:
			if way := ban.way(p.ImportPath, imports, map[string]bool{}); way != nil {
				broken = append(broken, fmt.Sprintf("%s: %s", strings.Join(way, " imports "), ban.Why))
			}
		default:
			for _, imported := range p.Imports {
				if below(imported, ban.Import) {
					broken = append(broken, fmt.Sprintf("%s imports %s: %s", p.ImportPath, imported, ban.Why))
				}
			}
		}
	}
	return broken
}

// way returns the imports that lead from a package to the banned one, both ends
// included, or nil if none do.
func (b Ban) way(from string, imports map[string][]string, seen map[string]bool) []string {
	if from == b.Import {
		return []string{from}
	}
	if seen[from] || slices.Contains(b.Through, from) {
		return nil
	}
	seen[from] = true
	for _, next := range imports[from] {
		if rest := b.way(next, imports, seen); rest != nil {
			return append([]string{from}, rest...)
		}
	}
	return nil
}

// below reports whether path is dir or lies in it.
func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}
