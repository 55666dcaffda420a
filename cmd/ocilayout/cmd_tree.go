package main

import (
	"context"

	"github.com/ocilayout/ocilayout/layout"
)

func treeCommand() *command {
	return &command{
		name:  "tree",
		args:  "REF|LAYOUT",
		short: "show what refers to what: indexes, manifests, layers, referrers",
		long:  "A layout alone is every entry in it.",
		examples: []example{
			{"One image.", "ocilayout tree images:app"},
			{"A picture of a whole layout.", "ocilayout tree images --format dot | dot -Tsvg -o images.svg"},
		},
		formats: []string{"dot", "mermaid"},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
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
