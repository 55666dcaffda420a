package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

func lsCommand() *command {
	var o layout.ListOptions
	var list ordered
	var from registryFlags
	return &command{
		name:  "ls",
		args:  "LAYOUT",
		short: "list names, with digest, platform and media type",
		long: "What is shown comes from index.json alone, unless -l asks for more.\n\n" +
			"LAYOUT may be a repository of a registry, docker://HOST[:PORT]/REPOSITORY: its tags are listed, and only with -l what they point to, which takes a request for each. A registry, docker://HOST[:PORT]/, gives its repositories, if it does. Flags about registries are for such alone.",
		examples: []example{
			{"Every name in a layout.", "ocilayout ls images"},
			{"The digest of each database image, in an archive read in place.", "ocilayout ls images.tar --match 'db*' --format '{{.name}} {{.digest}}'"},
		},
		flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Destination: &o.All, Usage: "list untagged entries, and the tags that stand for referrers and cosign's signatures, too"},
			&cli.BoolFlag{Name: "long", Aliases: []string{"l"}, Destination: &o.Details, Usage: "read manifests for size, time, platforms and number of referrers"},
			list.flag("match", "list only names like `PATTERN`, where * is any text"),
			list.flag("exclude", "leave out names like `PATTERN`"),
			&cli.BoolFlag{Name: "no-digest-tags", Destination: &o.NoDigestTags, Usage: "with --all, leave out the tags that stand for referrers and cosign's signatures all the same"},
		}, from.flags()...),
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			o.Match, o.Exclude = list.of("match"), list.of("exclude")
			if registry.IsReference(args[0]) {
				return from.remoteList(ctx, e, args[0], o)
			}
			if err := from.only(args[0]); err != nil {
				return nil, err
			}
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			if err := wholeLayout(ref); err != nil {
				return nil, errors.Join(err, r.Close())
			}
			o.Brief = e.format.IsTable()
			return listing(closeAfter(r, r.List(ctx, o)), o.Details), nil
		},
	}
}
