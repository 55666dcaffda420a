package main

import (
	"context"

	"github.com/ocilayout/ocilayout/mutate"
)

func indexAddCommand() *command {
	var f indexFlags
	return &command{
		name:  "index add",
		args:  "REF IMAGE...",
		short: "put images into an index, which makes a new one",
		long: "What is in the index REF stays as it is, byte for byte. An IMAGE is taken as by 'index create'; one that is there already is not put in again. " +
			"Referrers of the old index, such as its signature, stay with that.",
		examples: []example{
			{"A platform more.", "ocilayout index add images:app images:app-riscv64 --replace"},
			{"One image of another layout's index, under a new name.", "ocilayout index add images:app other:app --platform linux/s390x --tag app-all"},
		},
		flags:  append(f.targetFlags(), f.takeFlags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if err := f.checkTarget("index add"); err != nil {
				return nil, err
			}
			o, err := f.options()
			if err != nil {
				return nil, err
			}
			sources, err := e.sources(ctx, args[1:])
			if err != nil {
				return nil, err
			}
			defer closing(sources, &err)
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			report, err := mutate.AddToIndex(ctx, l, ref, sources, f.target, o)
			if err != nil {
				return nil, err
			}
			return indexReport{report}, nil
		},
	}
}
