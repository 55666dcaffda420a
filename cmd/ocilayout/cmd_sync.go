package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/registry/sync"
)

func syncCommand() *command {
	var f syncFlags
	return &command{
		name:  "sync",
		args:  "FILE",
		short: "keep layouts and registries in step with others, as a file says",
		long: `FILE is a configuration as regsync reads it, in YAML, with a few keys more; "-" is standard input.
Sources and targets are registries, or layouts as ocidir://PATH. Everything is done once; what fails stops nothing else, is told in one line, and makes the exit code 1.

With --lock-file the digests that were taken are written to a file. With --locked they are read from it, and exactly these are copied: no tag is asked for.
docs/sync.md lists the keys, and what is different from regsync.`,
		examples: []example{
			{"What would be copied; exit code 5 if anything would.", "ocilayout sync mirror.yaml --check"},
			{"Everything, and what it was; then, elsewhere or later, the same again.", "ocilayout sync mirror.yaml --lock-file mirror.lock"},
			{"Exactly what was locked.", "ocilayout sync mirror.yaml --lock-file mirror.lock --locked"},
			{"Again and again, at the times in the file.", "ocilayout sync mirror.yaml --watch"},
		},
		flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "check", Aliases: []string{"n"}, Destination: &f.o.Check, Usage: "change nothing; exit 5 if there is something to change"},
			&cli.BoolFlag{Name: "missing", Destination: &f.o.Missing, Usage: "copy only names that the target does not have"},
			&cli.BoolFlag{Name: "verify-existing", Destination: &f.verify, Usage: "look at all that layouts have of the images, too, and fetch anew what is missing or wrong; without it a digest in index.json, and the size of a blob, are enough"},
			&cli.BoolFlag{Name: "watch", Destination: &f.watch, Usage: "do each entry at its interval or schedule until interrupted; at once, what is missing"},
			f.list.flag("only", "do only entries whose name, source or target is `ENTRY`"),
			&cli.StringFlag{Name: "lock-file", Destination: &f.lockFile, Usage: "write the digests that were taken to `FILE`, or with --locked read them"},
			&cli.BoolFlag{Name: "locked", Destination: &f.locked, Usage: "copy exactly what is in --lock-file, by digest"},
			&cli.IntFlag{Name: "parallel", Destination: &f.o.Parallel, DefaultText: "as the file says, or 8", Usage: "ask `N` questions at once, and send as many images to registries"},
			&cli.BoolFlag{Name: "abort-on-error", Destination: &f.o.AbortOnError, Usage: "begin nothing more after a failure"},
		}, f.forManyHosts()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			c, s, err := f.prepare(e, args[0])
			if err != nil {
				return nil, err
			}
			if f.watch {
				return nil, f.watching(ctx, e, c, s)
			}
			done, err := sync.Run(ctx, c, s, f.o)
			return f.outcome(e, done, err)
		},
	}
}
