package main

import (
	"fmt"
	"strconv"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// verdictTable is a report of verify as people read it.
type verdictTable struct{ verify.Report }

// Tables shows the problems, what was repaired, what consumers see, and a last line.
func (v verdictTable) Tables() []render.Table {
	word := "ok"
	if !v.OK {
		word = "not ok"
	}
	var tables []render.Table
	if len(v.Problems) > 0 {
		found := render.Table{Header: []string{"SEVERITY", "ID", "DIGEST", "PATH", "MESSAGE"}}
		for _, p := range v.Problems {
			found.Rows = append(found.Rows, []string{string(p.Severity), p.ID, content.Short(p.Digest), p.Path, p.Message})
		}
		tables = append(tables, found)
	}
	if len(v.Repaired) > 0 {
		tables = append(tables, v.mended())
	}
	last := render.Table{}
	for _, view := range v.For {
		last.Rows = append(last.Rows, []string{v.sees(view)})
	}
	c := v.Checked
	last.Rows = append(last.Rows, []string{fmt.Sprintf("%s: %d blobs, %d of them manifests, %s", word, c.Blobs, c.Manifests, render.Size(c.Bytes))})
	return append(tables, last)
}

// areImages says what two references compare: two images, or two layouts.
func areImages(from, to layout.Reference) (bool, error) {
	whole := func(ref layout.Reference) bool { return ref.Name == "" && ref.Digest == "" }
	if whole(from) != whole(to) {
		return false, content.Errorf(content.ErrInvalid, "%s and %s: one is an image, and one a whole layout", from, to)
	}
	return !whole(from), nil
}

// differentUnless is the verdict of a comparison.
func differentUnless(equal bool) error {
	if equal {
		return nil
	}
	return errDifferent
}

// differenceTable is a difference as people read it.
type differenceTable struct{ layout.Difference }

func (d differenceTable) Tables() []render.Table {
	if d.Equal {
		return []render.Table{{Rows: [][]string{{"equal"}}}}
	}
	changes := render.Table{Header: []string{"CHANGE", "WHAT", "DIGEST"}}
	add := func(change, what string, digest content.Digest) {
		changes.Rows = append(changes.Rows, []string{change, what, digest.String()})
	}
	for _, n := range d.Names.Added {
		add("added", "name "+n.Name, n.Digest)
	}
	for _, n := range d.Names.Removed {
		add("removed", "name "+n.Name, n.Digest)
	}
	for _, n := range d.Names.Moved {
		add("moved", "name "+n.Name, n.Old)
		add("to", "name "+n.Name, n.New)
	}
	for _, r := range d.Referrers.Added {
		add("added", "referrer of "+content.Short(r.Subject), r.Digest)
	}
	for _, r := range d.Referrers.Removed {
		add("removed", "referrer of "+content.Short(r.Subject), r.Digest)
	}
	for _, blob := range d.Blobs.Added {
		add("added", "blob", blob)
	}
	for _, blob := range d.Blobs.Removed {
		add("removed", "blob", blob)
	}
	summary := strconv.Itoa(len(d.Blobs.Added)) + " blobs added of " + render.Size(d.Blobs.Bytes) + ", " +
		strconv.Itoa(len(d.Blobs.Removed)) + " removed"
	return []render.Table{changes, {Rows: [][]string{{summary}}}}
}
