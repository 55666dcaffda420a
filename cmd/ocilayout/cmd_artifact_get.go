package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func artifactGetCommand() *command {
	var f getFlags
	return &command{
		name:  "artifact get",
		args:  "[REF]",
		short: "write the files of an artifact to standard output or a directory",
		long: "The artifact is REF, or the one that is attached to --subject and fits the other flags. " +
			"Standard output takes one file, its bytes verified; a directory takes all, each under its title and only when it is whole. " +
			"No title and no link leads out of the directory, and what is there is not overwritten unless --overwrite says so.",
		examples: []example{
			{"The SBOM of an image.", "ocilayout artifact get --subject images:app --type application/spdx+json > app.spdx.json"},
			{"All files of an artifact.", "ocilayout artifact get images:site:v1 -o public"},
			{"Some of them, from the newest report.", "ocilayout artifact get --subject images:app --type text/report --latest --file-name '*.txt' -o reports"},
		},
		flags: append(f.query.flags(),
			&cli.StringFlag{Name: "subject", Destination: &f.subject, Usage: "get what is attached to `REF`"},
			f.list.flag("file-name", "get only files whose title, or the last part of it, is like `PATTERN`"),
			f.list.flag("media-type", "get only files of media `TYPE`"),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Destination: &f.dir, Usage: "write the files to `DIR`, which is made if it is not there"},
			&cli.BoolFlag{Name: "overwrite", Destination: &f.save.Overwrite, Usage: "replace files that are there"},
			&cli.BoolFlag{Name: "strip-dirs", Destination: &f.save.StripDirs, Usage: "leave out the directories of titles"},
			&cli.BoolFlag{Name: "keep-packed", Destination: &f.save.KeepPacked, Usage: "write a directory as the archive that it is stored as"},
			&cli.StringFlag{Name: "config-out", Destination: &f.config, Usage: "write the artifact's config to `FILE`, or - for standard output, and its files only with --output"},
		),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			return f.get(ctx, e, args)
		},
	}
}
