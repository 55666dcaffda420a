package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

func indexMergeCommand() *command {
	var f indexFlags
	var attestations string
	return &command{
		name:  "index merge",
		args:  "LAYOUT:NAME SOURCE...",
		short: "join the images of several builds to one index",
		long: "A SOURCE is a layout, in a directory or an uncompressed archive, of which all images are taken, or REF in one. " +
			"What BuildKit attests of an image becomes a referrer of it. The order of the sources makes no difference. " +
			"Two images for one platform, one image under two, an image that says to be for another machine than its config does, and a missing platform are refused with exit code 4, before anything has a name.",
		examples: []example{
			{"What the jobs of a matrix build left.", "ocilayout index merge images:app out-amd64.tar out-arm64.tar --require-platform linux/amd64 --require-platform linux/arm64"},
			{"One image of each of two layouts, with a note.", "ocilayout index merge images:app amd64:app arm64:app --annotation org.opencontainers.image.version=1.2.0"},
		},
		flags: []cli.Flag{
			f.list.flag("require-platform", "refuse an index that has no image for `PLATFORM`"),
			&cli.StringFlag{Name: "attestations", Value: "referrers", Destination: &attestations, Usage: "what becomes of BuildKit's: `WHAT` is referrers (made of them too), keep (in the index alone) or drop"},
			f.list.flag("annotation", "annotate the index with `KEY=VALUE`"),
			f.noReferrersFlag(),
			f.conflictFlag(),
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			o := mutate.MergeOptions{}
			if o.IndexOptions, err = f.options(); err != nil {
				return nil, err
			}
			if err := o.SetAttestations(attestations); err != nil {
				return nil, err
			}
			if o.Require, err = parsePlatforms(f.list.of("require-platform")); err != nil {
				return nil, err
			}
			if _, err := newName(args[0]); err != nil {
				return nil, err
			}
			var made mutate.MergeReport
			err = e.joining(ctx, args, func(dst *layout.Layout, name string, sources []layout.Source) (err error) {
				made, err = mutate.MergeIndex(ctx, dst, name, sources, o)
				return err
			})
			if err != nil {
				return nil, err
			}
			return mergeReport{made}, nil
		},
	}
}
