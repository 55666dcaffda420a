package main

import (
	"context"

	"github.com/ocilayout/ocilayout/layout"
)

func diffCommand() *command {
	return &command{
		name:  "diff",
		args:  "A B",
		short: "compare what two layouts, archives or images hold",
		long: `Layouts and archives are compared by their names, by the blobs that entries reach,
and by what refers to what; order, blobs that nothing reaches and the form in which
referrers are listed make no difference. Two references compare the blobs of those
images alone. The exit code is 5 if there is a difference.`,
		examples: []example{
			{"What an archive would bring to a layout.", "ocilayout diff images update.tar"},
			{"How many bytes are new in another version.", "ocilayout diff images:v1 images:v2 --format '{{.blobs.bytes}}'"},
		},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			a, from, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(a, &err)
			b, to, err := e.openReader(args[1])
			if err != nil {
				return nil, err
			}
			defer closing(b, &err)
			o, err := diffOptions(ctx, a, b, from, to)
			if err != nil {
				return nil, err
			}
			d, err := layout.Diff(ctx, a, b, o)
			if err != nil {
				return nil, err
			}
			if !d.Equal {
				return differenceTable{d}, errDifferent
			}
			return differenceTable{d}, nil
		},
	}
}
