package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/ingest"
)

func importCommand() *command {
	var o ingest.Options
	var f importFlags
	var list ordered
	return &command{
		name:  "import",
		args:  "ARCHIVE... LAYOUT[:NAME]",
		short: "bring the images of archives into a layout",
		long: `ARCHIVE is what docker save, podman save or skopeo wrote, an image layout in a tar
or a directory (that of cosign save too), or with --rootfs the files of one image;
plain, or compressed with gzip, zstd, xz or bzip2. "-" is standard input. An archive
is read once, and no copy of it is made. The names of all archives appear together,
once everything they need is stored and checked; if one archive is bad, none does.
LAYOUT is made if it is not there. With NAME, the one image taken is called so.
What refers to images joins what refers to them in LAYOUT.`,
		examples: []example{
			{"From docker, without a file between.", "docker save app:latest db:latest | ocilayout import - images"},
			{"One image of an archive, under another name.", "ocilayout import all.tar.gz images:registry.example/app:v2 --name app:latest"},
			{"What cosign saved, signatures and all, and a build with its attestations as referrers.", "ocilayout import saved build.tar images --attestations referrers"},
			{"The files of a root filesystem.", "ocilayout import rootfs.tar.xz images:base --rootfs --platform linux/arm64"},
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "rootfs", Destination: &o.Rootfs, Usage: "the archive is a root filesystem: make an image of it"},
			&cli.StringFlag{Name: "platform", Destination: &f.platform, Usage: "`PLATFORM` of an image made with --rootfs; linux on this architecture if not given"},
			list.flag("name", "take only images whose full name, docker's short name or tag fits `PATTERN`, with what belongs to them"),
			&cli.StringFlag{Name: "compress", Value: "auto", Destination: &f.compress, Usage: "store layers as `FORM`: auto, gzip, zstd, none or keep"},
			&cli.StringFlag{Name: "attestations", Value: "keep", Destination: &f.attestations, Usage: "what BuildKit puts into indexes: `WHAT` is keep, referrers (make referrers of it too) or drop (which changes the index's digest)"},
			&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &f.conflict, Usage: policyUsage},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			o.Names = list.of("name")
			if err := f.fill(&o); err != nil {
				return nil, err
			}
			return e.importArchives(ctx, args, o)
		},
	}
}
