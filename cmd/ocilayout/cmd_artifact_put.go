package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/artifact"
)

func artifactPutCommand() *command {
	var f artifactFlags
	var presets putPresets
	var conflict string
	return &command{
		name:  "artifact put",
		args:  "LAYOUT[:NAME] [FILE[:MEDIATYPE]...]",
		short: "store files as an artifact with a name of its own",
		long: "The layout is made if it is not there. A directory is packed as oras does it, so that oras pull restores it; - is standard input. " +
			"To store something about an image, attach it.",
		examples: []example{
			{"A tree of files.", "ocilayout artifact put images:site:v1 public --type application/vnd.example.site"},
			{"A model with its config.", "ocilayout artifact put images:model weights.bin --config model.json:application/vnd.example.model.config+json"},
			{"A Helm chart, for helm pull, called by its name and version.", "ocilayout artifact put charts --helm app-1.0.0.tgz --prov app-1.0.0.tgz.prov"},
			{"Manifests for Flux.", "ocilayout artifact put images:deploy --flux deploy --source https://example.com/app.git --revision main@sha1:3c5b1f"},
		},
		flags: append(append(f.flags(), presets.flags()...),
			&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &conflict, Usage: policyUsage},
		),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			policy, err := parsePolicy(conflict)
			if err != nil {
				return nil, err
			}
			o, err := f.options(e, args[1:], presets.given())
			if err != nil {
				return nil, err
			}
			l, name, err := e.destination(ctx, args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			if name, o, err = presets.apply(ctx, name, o); err != nil {
				return nil, err
			}
			done, err := artifact.Put(ctx, l, name, o, policy)
			if err != nil {
				return nil, err
			}
			return stored{done}, nil
		},
	}
}
