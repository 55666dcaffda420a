package main

import (
	"fmt"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/layout"
)

// collectionTable is what gc did as people read it.
type collectionTable struct{ layout.Collection }

// Tables has a line for each kind of file, those of which there are none left out.
func (c collectionTable) Tables() []render.Table {
	verb := "removed"
	if c.DryRun {
		verb = "would remove"
	}
	rows := [][]string{{verb, amountText(c.Removed, "blob")}}
	for _, kind := range []struct {
		verb   string
		amount layout.Amount
		what   string
	}{
		{verb, c.Staging, "staged file"},
		{verb, c.Leftovers, "leftover"},
		{"kept by a lease", c.KeptByLease, "blob"},
		{"kept by grace", c.KeptByGrace, "blob"},
	} {
		if kind.amount.Count > 0 {
			rows = append(rows, []string{kind.verb, amountText(kind.amount, kind.what)})
		}
	}
	return []render.Table{{Rows: rows}}
}

func amountText(a layout.Amount, what string) string {
	if a.Count != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s, %s", a.Count, what, render.Size(a.Bytes))
}
