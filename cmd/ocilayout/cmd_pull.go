package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/registry"
)

func pullCommand() *command {
	var from registryFlags
	var o registry.PullOptions
	var list ordered
	var conflict, digestFile string
	return &command{
		name:  "pull",
		args:  "REGISTRYREF LAYOUT[:NAME]",
		short: "bring an image from a registry, with what refers to it",
		long: "REGISTRYREF is HOST[:PORT]/REPOSITORY[:TAG][@DIGEST], docker:// in front or not; without either it is the tag latest. " +
			"Without NAME the image is called as in the registry, with the host. The layout is made if it is not there; what is in it already is not fetched. " +
			"Signatures, SBOMs and other referrers come along, cosign's tags too. docs/registries.md says more.",
		examples: []example{
			{"An image with all that belongs to it.", "ocilayout pull registry.example.com/team/app:v1.2.0 images:app"},
			{"Two platforms of one that is known by its digest.", "ocilayout pull docker.io/library/alpine@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 images:alpine --platform linux/amd64 --platform linux/arm64"},
		},
		flags: append([]cli.Flag{
			list.flag("platform", "take only the image for `PLATFORM` of an index, which is kept as it is and lists what is not there"),
			&cli.BoolFlag{Name: "no-referrers", Destination: &o.NoReferrers, Usage: "leave out what refers to the image"},
			&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &conflict, Usage: policyUsage},
			&cli.StringFlag{Name: "digest-file", Destination: &digestFile, Usage: "write the digest to `FILE`"},
		}, from.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if o.Policy, err = parsePolicy(conflict); err != nil {
				return nil, err
			}
			if o.Platforms, err = parsePlatforms(list.of("platform")); err != nil {
				return nil, err
			}
			source, s, err := from.target(e, args[0])
			if err != nil {
				return nil, err
			}
			found, err := registry.Find(ctx, s, source)
			if err != nil {
				return nil, err
			}
			dst, name, err := e.destination(ctx, args[1])
			if err != nil {
				return nil, err
			}
			defer closing(dst, &err)
			o.Name = name
			done, err := found.Pull(ctx, dst, o)
			if err != nil {
				return nil, err
			}
			return pulled{done}, writeDigest(digestFile, done.Digest)
		},
	}
}
