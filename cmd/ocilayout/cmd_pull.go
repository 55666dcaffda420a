package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/registry"
)

func pullCommand() *command {
	var f pullFlags
	var o registry.PullOptions
	var list ordered
	var along referrerFlags
	var conflict string
	return &command{
		name:  "pull",
		args:  "[REGISTRYREF...] LAYOUT[:NAME]|FILE.tar[:NAME]|-",
		short: "bring images from registries, with what refers to them",
		long: "REGISTRYREF is HOST[:PORT]/REPOSITORY[:TAG][@DIGEST], docker:// in front or not; without either it is the tag latest. " +
			"Without NAME, which is for one image, they are called as in the registry, with the host. The layout is made if it is not there; what is in it already is not fetched. " +
			"Several images come all or none. Signatures, SBOMs and other referrers come along, cosign's tags too. docs/registries.md says more.\n\n" +
			"If the last argument ends in .tar and is no directory, or begins with oci-archive:, they go into a new archive, and if it is - to standard output: " +
			"what export makes of a layout with them, without the layout.\n\n" +
			"A line of the FILE of --refs-from is REGISTRYREF or REGISTRYREF NAME. " + refListUsage,
		examples: []example{
			{"An image with all that belongs to it.", "ocilayout pull registry.example.com/team/app:v1.2.0 images:app"},
			{"Two platforms of one that is known by its digest.", "ocilayout pull docker.io/library/alpine@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 images:alpine --platform linux/amd64 --platform linux/arm64"},
			{"Every image of a release, which are in several registries.", "ocilayout pull --refs-from release-1.2.txt images"},
			{"A whole repository.", "ocilayout pull --all-tags registry.example.com/team/app images"},
			{"An archive to carry away.", "ocilayout pull registry.example.com/team/app:v1.2.0 app.tar"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "refs-from", Destination: &f.refsFrom, Usage: "read from `FILE`, or standard input if it is -, which images to bring"},
			&cli.BoolFlag{Name: "all-tags", Aliases: []string{"a"}, Destination: &f.allTags, Usage: "bring every tag of the repository REGISTRYREF"},
			list.flag("platform", "take only the image for `PLATFORM` of an index, which is kept as it is and lists what is not there"),
			&cli.BoolFlag{Name: "narrow", Destination: &o.Narrow, Usage: narrowUsage},
			&cli.BoolFlag{Name: "verify-existing", Destination: &o.VerifyExisting, Usage: "read the blobs that LAYOUT has, and fetch those anew that are wrong; without it their size is enough"},
			&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &conflict, Usage: policyUsage},
			&cli.StringFlag{Name: "digest-file", Destination: &f.digestFile, Usage: "write the digest of the one image to `FILE`"},
		}, append(along.flags(), f.from.flags()...)...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if o.Policy, err = parsePolicy(conflict); err != nil {
				return nil, err
			}
			if o.Platforms, err = parsePlatforms(list.of("platform")); err != nil {
				return nil, err
			}
			if err := along.fill(&o); err != nil {
				return nil, err
			}
			return f.pull(ctx, e, args, o)
		},
	}
}
