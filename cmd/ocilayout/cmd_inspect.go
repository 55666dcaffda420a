package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

func inspectCommand() *command {
	var platform string
	var from registryFlags
	var raw, config bool
	return &command{
		name:  "inspect",
		args:  "REF",
		short: "show what an image is: platforms, config, layers, history, annotations, referrers",
		long:  registryUsage,
		examples: []example{
			{"Everything about an image.", "ocilayout inspect images:app"},
			{"The environment of the image for one platform.", "ocilayout inspect images:app --platform linux/arm64 --format '{{json .image.config.Env}}'"},
			{"The manifest as it lies there, byte for byte.", "ocilayout inspect --raw images:app | sha256sum"},
		},
		flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "raw", Destination: &raw, Usage: "write the bytes of the manifest or index"},
			&cli.BoolFlag{Name: "config", Destination: &config, Usage: "write the bytes of the image's config"},
			&cli.StringFlag{Name: "platform", Destination: &platform, Usage: platformUsage},
		}, from.flags()...),
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if raw && config {
				return nil, &usageError{"--raw and --config are two different things", "inspect"}
			}
			r, entry, opened, err := from.open(ctx, e, args[0], platform)
			if err != nil {
				return nil, err
			}
			defer closing(opened, &err)
			switch {
			case raw:
				return rawBytes(content.FetchAll(ctx, r, entry.Descriptor, r.Limits().Manifest))
			case config:
				return rawBytes(layout.ConfigBytes(ctx, r, entry.Descriptor, r.Limits()))
			}
			d, err := layout.Describe(ctx, r, entry, r.Limits())
			if err != nil {
				return nil, err
			}
			return description{d}, nil
		},
	}
}
