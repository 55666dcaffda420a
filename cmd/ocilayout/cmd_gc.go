package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/layout"
)

func gcCommand() *command {
	var o layout.GCOptions
	return &command{
		name:  "gc",
		args:  "LAYOUT",
		short: "remove blobs that nothing reaches",
		long: `Every entry of index.json keeps what it reaches: configs, layers, children, and what
it has as its subject. gc may run beside writers: ocilayout's own hold a lease on what
they rely on, and --grace is for other tools. A missing or corrupt manifest makes it
remove nothing and exit 4. docs/gc.md says more.`,
		examples: []example{
			{"What could go, and how much it is; exit code 5 if there is anything.", "ocilayout gc --dry-run images"},
			{"All of it, on a layout that no other tool is writing to.", "ocilayout gc --grace 0s --leftovers images"},
		},
		flags: []cli.Flag{
			&cli.DurationFlag{Name: "grace", Value: time.Hour, Destination: &o.Grace, Usage: "keep what was written, linked or moved less than `TIME` ago, with what it reaches"},
			&cli.BoolFlag{Name: "leftovers", Destination: &o.Leftovers, Usage: "remove what other tools staged and left, too: oci-put-blob*, *.tmp, ingest/"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Destination: &o.DryRun, Usage: "remove nothing; exit 5 if there is something to remove"},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			if err := wholeLayout(ref); err != nil {
				return nil, err
			}
			done, err := l.GC(ctx, o)
			if err != nil {
				return nil, err
			}
			if done.DryRun && done.Changed() {
				return collectionTable{done}, errDifferent
			}
			return collectionTable{done}, nil
		},
	}
}
