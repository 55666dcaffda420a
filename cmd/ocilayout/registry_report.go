package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// pushed shows a registry.PushReport to people.
type pushed struct{ registry.PushReport }

// outcome is the result of push, or as a dry run its verdict.
func (p pushed) outcome(digestFile string) (any, error) {
	if p.DryRun && p.Changed() {
		return p, errDifferent
	}
	if p.DryRun {
		return p, nil
	}
	return p, writeDigest(digestFile, p.Digest)
}

// Tables has a line for each tag and one with the sums.
func (p pushed) Tables() []render.Table {
	verb := "sent"
	if p.DryRun {
		verb = "to be sent"
	}
	sum := fmt.Sprintf("%d manifests and %d blobs %s, %s; %d blobs mounted", p.Manifests, p.Blobs, verb, render.Size(p.Bytes), p.Mounted)
	if p.Referrers > 0 {
		sum += fmt.Sprintf("; %d referrers went along", p.Referrers)
	}
	if p.Absent > 0 {
		sum += fmt.Sprintf("; %d left out, which the index lists all the same", p.Absent)
	}
	tables := changes(p.Changes).Tables()
	tables[0].Rows = append(slices.Concat(tables[0].Rows, narrowings(p.Narrowed), broughtRows(p.Brought)), []string{sum})
	return tables
}

// pulled shows a registry.PullReport to people.
type pulled struct{ registry.PullReport }

// Tables has a line for each name, then what refers to that, and one with the sums.
func (p pulled) Tables() []render.Table {
	tables := transfer{p.TransferReport}.Tables()
	last := len(tables[0].Rows) - 1
	tables[0].Rows = slices.Insert(tables[0].Rows, last, broughtRows(p.Brought)...)
	return tables
}

// writeDigest writes a digest to a file, unless there is none.
func writeDigest(path string, d content.Digest) error {
	if path == "" {
		return nil
	}
	return os.WriteFile(path, []byte(d.String()+"\n"), 0o644)
}
