package main

import (
	"context"

	"github.com/ocilayout/ocilayout/layout"
)

func treeCommand() *command {
	var from registryFlags
	return &command{
		name:  "tree",
		args:  "REF|LAYOUT",
		short: "show what refers to what: indexes, manifests, layers, referrers",
		long:  "A layout alone is every entry in it. " + registryUsage,
		examples: []example{
			{"One image.", "ocilayout tree images:app"},
			{"A picture of a whole layout.", "ocilayout tree images --format dot | dot -Tsvg -o images.svg"},
		},
		flags:   from.flags(),
		formats: []string{"dot", "mermaid"},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if found, ok, err := from.remote(ctx, e, args[0]); ok && err == nil {
				return remoteTree(ctx, found)
			} else if err != nil {
				return nil, err
			}
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(r, &err)
			roots, err := layout.BuildTrees(ctx, r, ref)
			if err != nil {
				return nil, err
			}
			return forest(roots), nil
		},
	}
}
