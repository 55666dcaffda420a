package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
)

func refCommand() *command {
	var program string
	return &command{
		name:  "ref",
		args:  "REF",
		short: "the words by which another program finds the image",
		long: `Every program names an image of a layout in its own way, and finds in its own way
what a name means. This prints the words that stand after the program's verb, quoted
for a shell, or says why there are none. Programs: skopeo, regctl, oras, buildx (after
imagetools inspect, or after --build-context NAME=), trivy, syft, crane (push), podman
(pull); "all" lists every one.`,
		examples: []example{
			{"Copy an image with skopeo.", `eval skopeo copy "$(ocilayout ref images:app --for skopeo)" docker://registry.example/app`},
			{"Look at it with oras.", `eval oras discover "$(ocilayout ref images:app --for oras)"`},
			{"Who can read it, and how.", "ocilayout ref images:app --for all"},
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "for", Destination: &program, Usage: "the `PROGRAM`, or all"},
		},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if program == "" {
				return nil, content.Errorf(content.ErrInvalid, "--for says which program is to find the image")
			}
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(r, &err)
			if program == "all" {
				return wordsOfAll(ctx, r, ref)
			}
			return wordsOf(ctx, r, ref, program)
		},
	}
}
