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
merged files of one image.`,
		examples: []example{
			{"Everything, in one archive.", "ocilayout export images images.tar"},
			{"One image of an index, for docker.", "ocilayout export images:app --platform linux/arm64 --to docker app.tar"},
			{"An image's files.", "ocilayout export images:app --to rootfs - | tar -x -C rootfs"},
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Value: "oci", Destination: &form, Usage: "`FORM` of the archive: oci, docker or rootfs"},
			list.flag("platform", "take only the image for `PLATFORM` out of an index; repeatable for oci"),
			&cli.StringFlag{Name: "name", Destination: &o.Name, Usage: "`NAME` of the one image in the archive"},
			&cli.BoolFlag{Name: "no-referrers", Destination: &o.NoReferrers, Usage: "leave out artifacts that belong to an image"},
			&cli.BoolFlag{Name: "fallback-tags", Destination: &o.FallbackTags, Usage: "leave in the tags that list referrers, and cosign's, for tools that read the unpacked archive"},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			o.Form, o.NoSync = export.Form(form), e.global.noSync
			if o.Platforms, err = parsePlatforms(list.of("platform")); err != nil {
				return nil, err
			}
			if o.Time, err = sourceDate(); err != nil {
				return nil, err
			}
			last := len(args) - 1
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
