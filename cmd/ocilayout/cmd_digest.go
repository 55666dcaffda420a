package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/registry"
)

func digestCommand() *command {
	var platform string
	var from registryFlags
	return &command{
		name:  "digest",
		args:  "REF",
		short: "print the digest of an image, for scripts",
		long:  registryUsage,
		examples: []example{
			{"What a name stands for.", "ocilayout digest images:app"},
			{"The image for one platform in it.", "ocilayout digest images:app --platform linux/arm64"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "platform", Destination: &platform, Usage: platformUsage},
		}, from.flags()...),
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if registry.IsReference(args[0]) {
				return from.remoteDigest(ctx, e, args[0], platform)
			}
			if err := from.only(args[0]); err != nil {
				return nil, err
			}
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
