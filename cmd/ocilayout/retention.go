package main

import (
	"fmt"
	"regexp"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/retain"
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

// pruneFlags are the flags of prune, as they are given.
type pruneFlags struct {
	list          ordered
	keep          int
	by, olderThan string
	o             retain.Options
}

func (f *pruneFlags) all() []cli.Flag {
	return []cli.Flag{
		f.list.flag("match", "let only names go that the regular expression `RE` finds something in"),
		f.list.flag("protect", "keep names that `RE` finds something in, beside those that --keep counts"),
		&cli.IntFlag{Name: "keep", Value: -1, DefaultText: "all", Destination: &f.keep, Usage: "keep the newest `N` of each repository"},
		&cli.StringFlag{Name: "by", Value: retain.ByCreated.String(), Destination: &f.by, Usage: "the newest by `ORDER`: created, semver (of the tag; others stay) or name"},
		&cli.StringFlag{Name: "older-than", Destination: &f.olderThan, Usage: "let only go what was made longer than `AGE` ago, such as 30d"},
		&cli.BoolFlag{Name: "untagged", Destination: &f.o.Untagged, Usage: "let entries without a name go, but for referrers"},
		&cli.BoolFlag{Name: "dangling", Destination: &f.o.Dangling, Usage: "let referrers go whose subject no entry leads to"},
		&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Destination: &f.o.DryRun, Usage: "change nothing; exit 5 if something would go"},
	}
}

// options are what the flags of prune say.
func (f *pruneFlags) options() (o retain.Options, err error) {
	o = f.o
	o.Now = time.Now()
	if f.keep != -1 {
		o.Keep = &f.keep
	}
	if f.keep == -1 && f.olderThan == "" && !o.Untagged && !o.Dangling {
		return o, &usageError{"no rule says what goes: prune needs --keep, --older-than, --untagged or --dangling", "prune"}
	}
	if o.By, err = retain.ParseOrder(f.by); err != nil {
		return o, content.At("--by", err)
	}
	if f.olderThan != "" {
		if o.OlderThan, err = retain.ParseAge(f.olderThan); err != nil {
			return o, content.At("--older-than", err)
		}
	}
	if o.Match, err = patterns("--match", f.list.of("match")); err != nil {
		return o, err
	}
	o.Protect, err = patterns("--protect", f.list.of("protect"))
	return o, err
}

func patterns(flag string, texts []string) (list []*regexp.Regexp, err error) {
	for _, text := range texts {
		p, err := regexp.Compile(text)
		if err != nil {
			return nil, content.At(flag, content.Errorf(content.ErrInvalid, "%w", err))
		}
		list = append(list, p)
	}
	return list, nil
}

// pruningTable is what prune did as people read it.
type pruningTable struct{ layout.Pruning }

// Tables has a line for each entry that goes.
func (p pruningTable) Tables() []render.Table {
	verb := "removed"
	if p.DryRun {
		verb = "would remove"
	}
	summary := render.Table{Rows: [][]string{{fmt.Sprintf("%s %d of %d entries", verb, len(p.Pruned), len(p.Pruned)+p.Kept)}}}
	if len(p.Pruned) == 0 {
		return []render.Table{summary}
	}
	list := render.Table{Header: []string{"NAME", "DIGEST", "REASON"}}
	for _, gone := range p.Pruned {
		list.Rows = append(list.Rows, []string{gone.Name, gone.Digest.String(), gone.Reason})
	}
	return []render.Table{list, summary}
}
