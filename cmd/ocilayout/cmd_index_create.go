package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

func indexCreateCommand() *command {
	var f indexFlags
	var artifactType, subject string
	return &command{
		name:  "index create",
		args:  "LAYOUT:NAME REF...",
		short: "make a multi-platform index of images",
		long: "The platform of an image is read from its config. Of a REF that is an index the images in it are taken, with BuildKit's attestations of them. " +
			"Images of other layouts are copied, with what refers to them; the layout is made if it is not there. " +
			"Two images for one platform are refused. The same images in the same order give the same digest.",
		examples: []example{
			{"One name for two builds.", "ocilayout index create images:app images:app-amd64 images:app-arm64"},
			{"Two platforms of somebody's image, and one of our own.", "ocilayout index create images:app upstream:app build.tar:riscv --platform linux/amd64 --platform linux/arm64"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "artifact-type", Destination: &artifactType, Usage: "say in the index that it is of `TYPE`"},
			&cli.StringFlag{Name: "subject", Destination: &subject, Usage: "make the index a referrer of `REF`, which is in the same layout"},
			f.list.flag("annotation", "annotate the index with `KEY=VALUE`"),
		}, f.takeFlags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			o, err := f.options()
			if err != nil {
				return nil, err
			}
			ref, err := newName(args[0])
			if err != nil {
				return nil, err
			}
			o.ArtifactType = artifactType
			if o.Subject, err = e.subjectOf(ctx, ref, subject); err != nil {
				return nil, err
			}
			var made mutate.IndexReport
			err = e.joining(ctx, args, func(dst *layout.Layout, name string, sources []layout.Source) (err error) {
				made, err = mutate.CreateIndex(ctx, dst, name, sources, o)
				return err
			})
			if err != nil {
				return nil, err
			}
			return indexReport{made}, nil
		},
	}
}
