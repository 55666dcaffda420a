package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

func tagCommand() *command {
	var o layout.TagOptions
	var conflict string
	var to registryFlags
	return &command{
		name:  "tag",
		args:  "REF NAME...",
		short: "give an image more names",
		long: "All names change in one step or none does. A name that had other content moves, which is reported.\n\n" +
			"REF may be one in a registry, docker://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]: a NAME is then a tag of the same repository, they change one after the other, and what they pointed to before is not asked unless --on-conflict is error or skip. " + forRegistries,
		examples: []example{
			{"A release, and what follows it.", "ocilayout tag images:app-build17 app:v1.2.0 app:latest"},
			{"A release in a registry.", "ocilayout tag docker://registry.example.com/team/app:build17 v1.2.0 latest"},
			{"A name for a digest that has none.", "ocilayout tag images@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 found"},
		},
		flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "keep", Destination: &o.Keep, Usage: "leave what a moved name pointed to as an untagged entry, so that gc keeps it"},
			&cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &conflict, Usage: policyUsage},
		}, to.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if o.Policy, err = parsePolicy(conflict); err != nil {
				return nil, err
			}
			if registry.IsReference(args[0]) {
				return to.tag(ctx, e, args, o)
			}
			if err := to.only(args[0]); err != nil {
				return nil, err
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			done, err := l.TagNames(ctx, ref, args[1:], o)
			if err != nil {
				return nil, err
			}
			return changes(done), nil
		},
	}
}
