package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/layout"
)

func copyCommand() *command {
	var o layout.TransferOptions
	var conflict string
	var list ordered
	var who forFlags
	return &command{
		name:  "copy",
		args:  "SOURCE... LAYOUT[:NAME]",
		short: "copy images between layouts, with what refers to them",
		long: "A SOURCE is REF, or a layout for all that is in it. The last argument is where they go; it is made if it is not there. " +
			"With NAME the one image copied gets that name, otherwise names stay as they are. " +
			"Signatures, SBOMs and other referrers come along, cosign's tags too.\n\n" +
			"With --for only what one consumer loads is copied, images alone, under names that it reads, as export does; " +
			"what is in the destination already must suit it too. If it would not load the result, nothing is copied and the exit code is 4.",
		examples: []example{
			{"One image to a stick.", "ocilayout copy images:app /media/stick/images"},
			{"Everything in an archive, by hard links where that can be.", "ocilayout copy --link images.tar images"},
			{"The one image that Bazel's rules read.", "ocilayout copy images:app --for bazel base"},
			{"One platform of an index, under another name.", "ocilayout copy images:app mirror:app-arm --platform linux/arm64 --no-referrers"},
		},
		flags: append([]cli.Flag{
			list.flag("platform", "take only the image for `PLATFORM` of an index, which is kept as it is"),
			&cli.BoolFlag{Name: "no-referrers", Destination: &o.NoReferrers, Usage: "leave out what refers to the images"},
			&cli.BoolFlag{Name: "link", Destination: &o.Link, Usage: "make hard links to blobs where that can be; they are not read, and share the fate of the source's"},
			&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &conflict, Usage: policyUsage},
		}, who.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if o.Policy, err = parsePolicy(conflict); err != nil {
				return nil, err
			}
			whom, err := who.parse()
			if err != nil {
				return nil, err
			}
			if o.Platforms, err = parsePlatforms(list.of("platform")); err != nil {
				return nil, err
			}
			sources, err := e.sources(ctx, args[:len(args)-1])
			if err != nil {
				return nil, err
			}
			defer closing(sources, &err)
			dst, name, err := e.destination(ctx, args[len(args)-1])
			if err != nil {
				return nil, err
			}
			defer closing(dst, &err)
			if whom != "" {
				return e.copyFor(ctx, dst, sources, consumer.CopyOptions{For: whom, Platforms: o.Platforms, Name: name,
					Repository: who.repository, Link: o.Link, Policy: o.Policy})
			}
			o.Name = name
			done, err := layout.Transfer(ctx, dst, sources, o)
			if err != nil {
				return nil, err
			}
			return transfer{done}, nil
		},
	}
}
