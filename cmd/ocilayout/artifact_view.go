package main

import (
	"strconv"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/layout"
)

// attached shows artifacts that got a subject.
type attached []artifact.Attached

// Tables has a line for each artifact.
func (list attached) Tables() []render.Table {
	var rows [][]string
	for _, a := range list {
		row := []string{a.Digest.String(), a.ArtifactType, "attached to " + a.Subject.String()}
		if !a.New {
			row[2] = "was attached to " + a.Subject.String()
		}
		rows = append(rows, row)
	}
	return []render.Table{{Rows: rows}}
}

// detached shows what was taken away.
type detached []artifact.Detached

// Tables has a line for each artifact, and for what it had.
func (list detached) Tables() []render.Table {
	var rows [][]string
	for _, d := range list {
		text := d.Digest.String() + ": detached from " + d.Subject.String()
		if d.Lists != nil {
			text = d.Digest.String() + ": not there, taken off " + strings.Join(d.Lists, " ")
		}
		rows = append(rows, []string{text})
		for _, name := range d.Names {
			rows = append(rows, []string{name + ": " + d.Digest.String() + " -> gone"})
		}
		if n := len(d.Referrers); n > 0 {
			var digests []string
			for _, r := range d.Referrers {
				digests = append(digests, r.String())
			}
			rows = append(rows, []string{strconv.Itoa(n) + " stay that refer to it: " + strings.Join(digests, " ")})
		}
	}
	return []render.Table{{Rows: rows}}
}

// referrers shows what refers to an image: for programs as the index that a
// registry's referrers API sends, for people with more columns.
type referrers struct {
	ocispec.Index
	found []layout.Referrer
}

// referrersOf shows what was found. The index has only what a registry would list,
// unless legacy forms were asked for.
func referrersOf(found []layout.Referrer, legacy bool) referrers {
	var real []layout.Referrer
	for _, f := range found {
		if legacy || f.Origin.Bound() {
			real = append(real, f)
		}
	}
	return referrers{artifact.Response(real), found}
}

// Tables has a line for each referrer.
func (r referrers) Tables() []render.Table {
	if len(r.found) == 0 {
		return nil
	}
	var rows [][]string
	for _, f := range r.found {
		created := ""
		if t := artifact.Created(f.Descriptor); !t.IsZero() {
			created = t.Format(time.RFC3339)
		}
		rows = append(rows, []string{f.Digest.String(), f.ArtifactType, render.Size(f.Size), created, string(f.Origin)})
	}
	return []render.Table{{Header: []string{"DIGEST", "TYPE", "SIZE", "CREATED", "ORIGIN"}, Rows: rows}}
}

// stored shows an artifact that has a name.
type stored struct{ artifact.Stored }

// Tables has one line.
func (s stored) Tables() []render.Table {
	text := s.New.String()
	if s.Name != "" {
		text = changeText(s.Change)
	}
	return []render.Table{{Rows: [][]string{{text}}}}
}

// saved shows the files that were written.
type saved []artifact.Saved

// Tables has a line for each file.
func (list saved) Tables() []render.Table {
	var rows [][]string
	for _, f := range list {
		rows = append(rows, []string{f.Path, render.Size(f.Size), f.Digest.String()})
	}
	return []render.Table{{Rows: rows}}
}
