package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/mutate/rootfs"
)

func repackCommand() *command {
	var o rootfs.RepackOptions
	var list ordered
	var created, conflict string
	return &command{
		name:  "repack",
		args:  "DIR LAYOUT[:NAME]",
		short: "make a layer of what has changed in an unpacked image",
		long: "DIR is what unpack, or umoci, has filled. NAME, latest if left out, becomes the image that was unpacked, which must be in LAYOUT, with one more layer of what has changed since; if nothing has, that image itself. " +
			"Changes in the image's volumes are left out.\n\n" +
			"SOURCE_DATE_EPOCH sets the time of the image and of its history, and the latest one that a file in the layer has.",
		examples: []example{
			{"Change a file of an image.", "ocilayout unpack images:app root && vi root/etc/app.conf && ocilayout repack root images:app-fixed"},
			{"Leave out what a package manager keeps for itself.", "ocilayout repack root images:app --mask-path /var/cache --mask-path /var/log --history 'install tools'"},
		},
		flags: []cli.Flag{
			list.flag("mask-path", "leave out changes at `PATH` in the image, and below it"),
			&cli.BoolFlag{Name: "no-mask-volumes", Destination: &o.NoMaskVolumes, Usage: "take changes in volumes too"},
			&cli.StringFlag{Name: "history", Destination: &o.History, Usage: "`TEXT` that the image's history has for the layer"},
			&cli.StringFlag{Name: "created", Destination: &created, Usage: "note `TIME`, such as 2026-11-25T12:00:00Z, as the time of creation; without it, SOURCE_DATE_EPOCH or now"},
			&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &conflict, Usage: policyUsage},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if o.Policy, err = parsePolicy(conflict); err != nil {
				return nil, err
			}
			if o.MaxTime, err = sourceDate(); err != nil {
				return nil, err
			}
			if o.Created, err = createdTime(created, o.MaxTime); err != nil {
				return nil, err
			}
			l, ref, err := e.openWriter(args[1])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			name, err := repackName(ref)
			if err != nil {
				return nil, err
			}
			o.Masks, o.Warn = list.of("mask-path"), func(err error) { e.warnf("%v", err) }
			done, err := rootfs.Repack(ctx, l, args[0], name, o)
			if err != nil {
				return nil, err
			}
			return repacked{done}, nil
		},
	}
}
