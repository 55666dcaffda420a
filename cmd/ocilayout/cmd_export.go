package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/export"
)

func exportCommand() *command {
	var o export.Options
	var form string
	var list ordered
	var who forFlags
	return &command{
		name:  "export",
		args:  "REF... FILE|-",
		short: "write images into an archive",
		long: `A bare LAYOUT is all of it. What belongs to an image comes along: artifacts that
refer to it, what refers to those, and cosign's tags, all without names, which
import gives back. Every blob is checked on its way out, and FILE appears only when
it is whole. The same content gives the same bytes; SOURCE_DATE_EPOCH sets the time
of the archive's members.

The form "oci" is an image layout in a tar that docker load reads too, "docker"
is what docker save wrote before Docker 25, with plain layers, and "rootfs" the
merged files of one image.

With --for the archive holds what one consumer loads: images only, under names that
it reads. What that leaves out is said on standard error, the names are printed as
the consumer will show them, and if it would refuse the archive, none is written and
the exit code is 4. docs/consumers.md has the rules. --platform then narrows an index
to a new one, or leaves it as it is where the consumer minds no missing images.`,
		examples: []example{
			{"Everything, in one archive.", "ocilayout export images images.tar"},
			{"One image of an index, for docker.", "ocilayout export images:app --platform linux/arm64 --to docker app.tar"},
			{"All images that kind loads, and their names.", "ocilayout export images --for kind kind.tar"},
			{"An image's files.", "ocilayout export images:app --to rootfs - | tar -x -C rootfs"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "to", Value: "oci", Destination: &form, Usage: "`FORM` of the archive: oci, docker or rootfs"},
			list.flag("platform", "take only the image for `PLATFORM` out of an index; only an archive of form oci takes several"),
			&cli.StringFlag{Name: "name", Destination: &o.Name, Usage: "`NAME` of the one image in the archive"},
			&cli.BoolFlag{Name: "no-referrers", Destination: &o.NoReferrers, Usage: "leave out artifacts that belong to an image"},
			&cli.BoolFlag{Name: "fallback-tags", Destination: &o.FallbackTags, Usage: "leave in the tags that list referrers, and cosign's, for tools that read the unpacked archive"},
		}, who.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			o.Form, o.NoSync, o.Limits = export.Form(form), e.global.noSync, e.limits
			if o.For, err = who.parse(); err != nil {
				return nil, err
			}
			o.Repository = who.repository
			if o.Platforms, err = parsePlatforms(list.of("platform")); err != nil {
				return nil, err
			}
			if o.Time, err = sourceDate(); err != nil {
				return nil, err
			}
			last := len(args) - 1
			if err := notAnImage(args[last]); err != nil {
				return nil, err
			}
			roots, closeAll, err := e.exportRoots(ctx, args[:last])
			defer closing(closeAll, &err)
			if err != nil {
				return nil, err
			}
			if args[last] != "-" {
				result, err := export.ToFile(ctx, args[last], roots, o)
				return e.exported(result, err)
			}
			result, err := export.ToWriter(ctx, e.stdout, roots, o)
			_, err = e.exported(result, err)
			return nil, err
		},
	}
}
