package main

import (
	"context"
	"iter"

	"github.com/urfave/cli/v2"
)

func filesCommand() *command {
	var platform string
	var layer layerNumber
	var long bool
	return &command{
		name:  "files",
		args:  "REF [PATH]",
		short: "list the files of an image, without unpacking it",
		long: "Whiteouts are applied; --layer shows those of one layer. PATH is a directory, of which all below is listed, another file, or a pattern: * is any text between slashes, ** any number of directories. " +
			"Links on the way to PATH are followed inside the image; one at its end is listed itself, unless a slash comes after it.",
		examples: []example{
			{"Who owns what in /etc, and which layer it comes from.", "ocilayout files -l images:app /etc"},
			{"What the highest layer changes.", "ocilayout files images:app --layer -1"},
			{"Every program that runs as its owner.", "ocilayout files images:app --format '{{if hasPrefix \"4\" .mode}}{{.path}} {{.uid}}{{end}}'"},
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "long", Aliases: []string{"l"}, Destination: &long, Usage: "show mode, owner, size, time and layer"},
			layer.flag(),
			&cli.StringFlag{Name: "platform", Destination: &platform, Usage: platformUsage},
		},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(r, &err)
			layers, err := e.imageLayers(ctx, r, ref, platform)
			if err != nil {
				return nil, err
			}
			path := append(args, "")[1]
			var items iter.Seq2[fileItem, error]
			if layer == 0 {
				items, err = imageFiles(ctx, r, layers, path)
			} else {
				items, err = layerFiles(ctx, r, layers, layer, path)
			}
			if err != nil {
				return nil, err
			}
			return fileList(items, long), nil
		},
	}
}
