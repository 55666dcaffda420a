package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

func pushCommand() *command {
	var f pushFlags
	var o registry.PushOptions
	var list ordered
	var noClobber bool
	return &command{
		name:  "push",
		args:  "[REF] [REGISTRYREF]",
		short: "send an image to a registry, with what refers to it",
		long: "REGISTRYREF is HOST[:PORT]/REPOSITORY[:TAG], docker:// in front or not; without a tag it is latest. " +
			"Digests stay as they are. Signatures, SBOMs and other referrers go along, cosign's tags too; what the registry has is not sent again. docs/registries.md says more.\n\n" +
			"A line of the FILE of --refs-from is REF REGISTRYREF, or with a repository as REGISTRYREF of the command REF TAG, or REF alone for the tag in its name. " + refListUsage,
		examples: []example{
			{"An image under two tags.", "ocilayout push images:app registry.example.com/team/app:v1.2.0 --tag latest"},
			{"Only if nobody has taken the tag, and its digest for the next step.", "ocilayout push images:app registry.example.com/team/app:v1.2.0 --no-clobber --digest-file digest"},
			{"Every image of a layout, each under its own tag.", "ocilayout push --all-tags images registry.example.com/team/app"},
			{"What a list says, such as images:app registry.internal/team/app:v1.2.0.", "ocilayout push --refs-from release.txt"},
			{"Whether there is anything to send; exit code 5 if so.", "ocilayout push images.tar:app localhost:5000/app --dry-run"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "refs-from", Destination: &f.refsFrom, Usage: "read from `FILE`, or standard input if it is -, what to send"},
			list.flag("tag", "give it the tag `TAG` too"),
			&cli.BoolFlag{Name: "all-tags", Aliases: []string{"a"}, Destination: &f.allTags, Usage: "send every image of the layout REF, each under the tag in its name, to one repository"},
			list.flag("platform", "send only the image for `PLATFORM` of an index, which is kept as it is; many registries refuse that"),
			&cli.BoolFlag{Name: "narrow", Destination: &o.Narrow, Usage: narrowUsage},
			&cli.BoolFlag{Name: "no-referrers", Destination: &o.NoReferrers, Usage: "leave out what refers to the image"},
			&cli.BoolFlag{Name: "no-clobber", Destination: &noClobber, Usage: "send nothing where a tag has other content: exit code 1"},
			&cli.StringFlag{Name: "mount-from", Destination: &o.MountFrom, Usage: "let the registry take blobs from its `REPOSITORY` where it has them"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Destination: &o.DryRun, Usage: "send nothing; exit 5 if there is something to send"},
			&cli.StringFlag{Name: "digest-file", Destination: &f.digestFile, Usage: "write the digest to `FILE`"},
		}, f.to.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if o.Tags = list.of("tag"); noClobber {
				o.Policy = layout.Fail
			}
			if o.Platforms, err = parsePlatforms(list.of("platform")); err != nil {
				return nil, err
			}
			return f.push(ctx, e, args, o)
		},
	}
}
