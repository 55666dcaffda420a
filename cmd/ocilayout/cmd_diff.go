package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/mutate"
)

func diffCommand() *command {
	var list ordered
	var o imageDiff
	return &command{
		name:  "diff",
		args:  "A B",
		short: "compare what two layouts or archives hold, or what two images are",
		long: "Layouts and archives are compared by their names, by the blobs that entries reach, and by what refers to what; " +
			"order, blobs that nothing reaches and the form in which referrers are listed make no difference.\n\n" +
			"Two references compare those images: config, platform, annotations, history, layers, and the files that containers see; of indexes each platform. " +
			"Layers that both have are not read if all are the same. --explain says of layers that stand for each other why their digests differ: " +
			"order, times, owners, modes, contents, compression.\n\n" +
			"WORDS of --ignore have commas between them: annotations, attestations, config, content, encoding, env, files, history, labels, layers, manifest, mode, owner, platform, time, xattrs. " +
			"Two builds of the same source at different times have other layers too, so ignore those beside time. " +
			"The exit code is 5 if there is a difference.",
		examples: []example{
			{"What an archive would bring to a layout.", "ocilayout diff images update.tar"},
			{"How many bytes are new in another version.", "ocilayout diff images:v1 images:v2 --format '{{.blobs.bytes}}'"},
			{"Do two builds hold the same files and settings, whenever they ran?", "ocilayout diff images:a images:b --ignore time,history,layers"},
			{"Why is a layer not the same in two builds?", "ocilayout diff --explain images:a images:b --platform linux/arm64"},
		},
		flags: []cli.Flag{
			list.flag("ignore", "take no account of differences of these kinds, such as `WORDS` time,history"),
			&cli.BoolFlag{Name: "explain", Destination: &o.explain, Usage: "say why layers have other digests; they are read once more"},
			&cli.StringFlag{Name: "platform", Destination: &o.platform, Usage: platformUsage},
		},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if o.ignore, err = mutate.ParseIgnored(list.of("ignore")...); err != nil {
				return nil, err
			}
			a, from, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(a, &err)
			b, to, err := e.openReader(args[1])
			if err != nil {
				return nil, err
			}
			defer closing(b, &err)
			return o.run(ctx, a, b, from, to)
		},
	}
}
