package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/verify"
)

func verifyCommand() *command {
	var o verify.Options
	return &command{
		name:  "verify",
		args:  "LAYOUT|REF|ARCHIVE",
		short: "prove that content is what it is said to be",
		long: `Every blob is read once: its digest, and of layers what they decompress to. A layout
is judged with its index.json, names, and blobs that nothing refers to; of a REF,
what it reaches. The exit code is 4 if there is an error; warnings and notes do
not count. docs/verify.md lists every problem by its id.`,
		examples: []example{
			{"A whole layout, or an archive of one, in place.", "ocilayout verify images.tar"},
			{"The ids of what is wrong with one image, for a script.", "ocilayout verify images:app --format '{{range .problems}}{{.id}} {{end}}'"},
		},
		flags: []cli.Flag{
			&cli.IntFlag{Name: "workers", Destination: &o.Workers, Usage: "read `N` blobs at once; one for each core if not given"},
		},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(r, &err)
			var roots []content.Descriptor
			if ref.Name != "" || ref.Digest != "" {
				entry, err := r.Lookup(ctx, ref)
				if err != nil {
					return nil, err
				}
				roots = []content.Descriptor{entry.Descriptor}
			}
			report, err := verify.Check(ctx, r, roots, o)
			if err != nil {
				return nil, err
			}
			if !report.OK {
				return verdictTable{report}, errCheckFailed
			}
			return verdictTable{report}, nil
		},
	}
}
