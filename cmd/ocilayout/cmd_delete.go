package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
)

func deleteCommand() *command {
	var withReferrers bool
	return &command{
		name:  "delete",
		args:  "REF@DIGEST",
		short: "take a manifest out of a layout, with all its names",
		long:  "Its blobs stay on the disk until gc. To take away one name of several, untag it.",
		examples: []example{
			{"An image by its digest.", "ocilayout delete images@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			{"What a name stands for, with its signatures and SBOMs.", "ocilayout delete --with-referrers images@$(ocilayout digest images:app)"},
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "with-referrers", Destination: &withReferrers, Usage: "take out what has it as its subject, too"},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			if ref.Digest == "" {
				return nil, content.Errorf(content.ErrInvalid, "%s has no digest: delete takes REF@DIGEST, untag a name", ref)
			}
			if _, err := l.Lookup(ctx, ref); err != nil {
				return nil, err
			}
			done, err := l.Delete(ctx, ref.Digest, withReferrers)
			if err != nil {
				return nil, err
			}
			if done.Left > 0 {
				e.warnf("%d referrers of %s stay without their subject", done.Left, done.Digest)
			}
			return deletion{done}, nil
		},
	}
}
