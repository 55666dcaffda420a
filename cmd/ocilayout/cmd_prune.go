package main

import (
	"context"

	"github.com/ocilayout/ocilayout/retain"
)

func pruneCommand() *command {
	var f pruneFlags
	return &command{
		name:  "prune",
		args:  "LAYOUT",
		short: "take names away by rule",
		long: `A name goes if --match selects it, --protect does not, and every rule given says so:
it is not among the newest that --keep keeps in each repository, and older than
--older-than. What a rule can't judge stays. Referrers, and the tags that stand for
them and for cosign's signatures, are no names: they go with their subject. The blobs
are for gc. docs/gc.md says more.`,
		examples: []example{
			{"What would go if three versions of each image stayed; exit code 5 if anything would.", "ocilayout prune --keep 3 --by semver --dry-run images"},
			{"Builds of pull requests after a month, and what lost its name.", "ocilayout prune --match ':pr-[0-9]+$' --older-than 30d --untagged images"},
		},
		flags:  f.all(),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			o, err := f.options()
			if err != nil {
				return nil, err
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			if err := wholeLayout(ref); err != nil {
				return nil, err
			}
			done, err := retain.Prune(ctx, l, o)
			if err != nil {
				return nil, err
			}
			if done.DryRun && len(done.Pruned) > 0 {
				return pruningTable{done}, errDifferent
			}
			return pruningTable{done}, nil
		},
	}
}
