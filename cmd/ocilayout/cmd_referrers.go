package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/artifact"
)

func referrersCommand() *command {
	var f queryFlags
	var lift liftFlags
	var from registryFlags
	return &command{
		name:  "referrers",
		args:  "REF",
		short: "list what is attached to an image",
		long: "JSON is the image index that a registry's referrers API would send. " +
			"Only manifests that name REF as their subject are in it, unless --legacy asks for more. " + registryUsage,
		examples: []example{
			{"Everything attached to an image.", "ocilayout referrers images:app"},
			{"The newest SBOM's digest.", "ocilayout referrers images:app --type application/spdx+json --latest --format '{{(index .manifests 0).digest}}'"},
			{"What a scanner noted as bad, and what is attached to that in turn.", "ocilayout referrers images:app --annotation level=high --recursive"},
			{"Referrers made of cosign's tags and BuildKit's attestations.", "ocilayout referrers images:app --lift"},
		},
		flags: slices.Concat(f.flags(), lift.flags(), []cli.Flag{
			&cli.BoolFlag{Name: "desc", Destination: &f.query.Descending, Usage: "turn the order round"},
			&cli.BoolFlag{Name: "recursive", Destination: &f.recursive, Usage: "list what is attached to what is attached, too"},
		}, from.flags()),
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if lift.lift || lift.o.DropTags {
				if err := from.only(args[0]); err != nil {
					return nil, err
				}
				return f.only(ctx, e, lift, args[0])
			}
			if found, ok, err := from.remote(ctx, e, args[0]); ok && err == nil {
				return f.remote(ctx, found)
			} else if err != nil {
				return nil, err
			}
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(r, &err)
			query, err := f.of(ctx, r, ref)
			if err != nil {
				return nil, err
			}
			found, err := artifact.Find(ctx, r, query)
			if err != nil {
				return nil, err
			}
			return referrersOf(found, f.legacy), nil
		},
	}
}
