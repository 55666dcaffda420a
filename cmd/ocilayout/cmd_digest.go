package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func digestCommand() *command {
	var platform string
	return &command{
		name:  "digest",
		args:  "REF",
		short: "print the digest of an image, for scripts",
		examples: []example{
			{"What a name stands for.", "ocilayout digest images:app"},
			{"The image for one platform in it.", "ocilayout digest images:app --platform linux/arm64"},
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "platform", Destination: &platform, Usage: platformUsage},
		},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(r, &err)
			entry, err := lookup(ctx, r, ref, platform)
			if err != nil {
				return nil, err
			}
			return entry.Digest.String(), nil
		},
	}
}
