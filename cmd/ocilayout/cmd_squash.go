package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/mutate"
)

func squashCommand() *command {
	var f deriveFlags
	var s mutate.Squash
	var layers string
	return &command{
		name:  "squash",
		args:  "REF",
		short: "make one layer of several",
		long: "All layers, a range of them, or those above the base become one, on every image of an index. It unpacks to the same files as they do; what they only hid is gone, " +
			"and what lower layers have stays hidden. The history says what was squashed.\n\n" +
			"Layers are counted from 1. The base is what the annotations org.opencontainers.image.base.digest and .name say, which must be in the layout.",
		examples: []example{
			{"An image of one layer.", "ocilayout squash images:app --tag app:flat"},
			{"Everything that was built on the base.", "ocilayout squash images:app --above-base --replace"},
			{"The layers from the third on, of one platform.", "ocilayout squash images:app --layers 3- --platform linux/arm64 --tag app:arm"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "layers", Destination: &layers, Usage: "squash only the layers in `RANGE`: 2-4, 2- from the second on, -3 up to the third"},
			&cli.BoolFlag{Name: "above-base", Destination: &s.AboveBase, Usage: "squash only the layers above those of the base"},
		}, f.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if err := f.check("squash"); err != nil {
				return nil, err
			}
			if layers != "" && s.AboveBase {
				return nil, content.Errorf(content.ErrInvalid, "--layers and --above-base are two answers to one question")
			}
			if layers != "" {
				if s.First, s.Last, err = mutate.ParseLayers(layers); err != nil {
					return nil, content.At("--layers", err)
				}
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			s.Find = mutate.FindBase(l.Reader)
			return e.derive(ctx, l, ref, f, func() ([]mutate.Edit, error) { return everywhere(&s, nil) })
		},
	}
}
