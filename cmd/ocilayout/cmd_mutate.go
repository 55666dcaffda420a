package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func mutateCommand() *command {
	var f mutateFlags
	return &command{
		name:  "mutate",
		args:  "REF",
		short: "make a new image of an old one by edits",
		long: "All edits are done in one pass, in the order in which their flags are given, and on every image of an index; each flag may be repeated. " +
			"[PLATFORM] or [PLATFORM,PLATFORM] in front of a value limits it to the images for these, and [*] means the index too: [linux/arm64]K=V. An empty value deletes.\n\n" +
			"What no edit names keeps its bytes. The result has another digest, so signatures, SBOMs and other referrers stay behind with the old one; " +
			"how many is printed. The same edits of the same image make the same digest; SOURCE_DATE_EPOCH sets what now stands for, " +
			"and the time of --history entries, which have none otherwise. docs/mutate.md has more.",
		examples: []example{
			{"Another command and a label, under a new name.", `ocilayout mutate images:app --tag app:debug --cmd '["/app","-v"]' --label stage=debug`},
			{"A secret that was passed as a build argument leaves the history.", "ocilayout mutate images:app --replace --build-arg-rm TOKEN"},
			{"A variable for one platform of an index, and an annotation for all and the index.", "ocilayout mutate images:app --replace --env '[linux/arm64]LD_PRELOAD=' --annotation '[*]team=base'"},
			{"Docker's media types, for a registry that knows no others.", "ocilayout mutate images:app --tag app:docker --to-docker"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "tag", Destination: &f.tag, Usage: "call the result `NAME`; the old image keeps its names"},
			&cli.BoolFlag{Name: "replace", Destination: &f.replace, Usage: "put the result in the place of the old image, under its name"},
			&cli.StringFlag{Name: "platform", Destination: &f.platform, Usage: "take the image for `PLATFORM` out of an index, and edit it alone; needs --tag"},
		}, editFlags(&f.list)...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if err := f.check(); err != nil {
				return nil, err
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			return e.mutate(ctx, l, ref, f)
		},
	}
}
