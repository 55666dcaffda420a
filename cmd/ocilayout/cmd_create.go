package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

func createCommand() *command {
	var list ordered
	return &command{
		name:  "create",
		args:  "LAYOUT:NAME",
		short: "make an image from scratch, without layers",
		long:  "The layout is made too if it is not there. With several platforms the name stands for an index of an image for each.",
		examples: []example{
			{"An empty image to add layers to.", "ocilayout create images:base --platform linux/amd64"},
			{"One for each of two platforms.", "ocilayout create images:base --platform linux/amd64 --platform linux/arm64"},
		},
		flags: []cli.Flag{
			list.flag("platform", "what the image runs on: a `PLATFORM` such as linux/arm64; needed"),
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			platforms, err := parsePlatforms(list.of("platform"))
			if err != nil {
				return nil, err
			}
			if len(platforms) == 0 {
				return nil, &usageError{"create needs --platform", "create"}
			}
			ref, err := layout.ParseReference(args[0])
			if err != nil {
				return nil, err
			}
			if ref.Name == "" || ref.Digest != "" {
				return nil, content.Errorf(content.ErrInvalid, "%s: create needs LAYOUT:NAME", ref)
			}
			l, err := layout.Init(ctx, ref.Layout, e.layoutOptions())
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			change, err := l.Create(ctx, ref.Name, platforms, layout.Overwrite)
			if err != nil {
				return nil, err
			}
			return changes{change}, nil
		},
	}
}
