package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

func untagCommand() *command {
	var o layout.UntagOptions
	var to registryFlags
	return &command{
		name:  "untag",
		args:  "REF...",
		short: "take names away",
		long: "All references must be of one layout; all names go in one step or none does. LAYOUT@DIGEST is every name of a digest.\n\n" +
			"They may be tags in registries, docker://HOST[:PORT]/REPOSITORY:TAG, which go one after the other. Where the registry does not take away a tag alone nothing is done: the image is never deleted in its place. " + forRegistries,
		examples: []example{
			{"Two names.", "ocilayout untag images:app:v1 images:app:v2"},
			{"A tag in a registry.", "ocilayout untag docker://registry.example.com/team/app:v1.2.0-rc1"},
			{"A name, with its content kept from gc.", "ocilayout untag --keep images:app:v1"},
			{"A name, with what refers to it, so that gc can take it.", "ocilayout untag --with-referrers images:app:v1"},
		},
		flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "keep", Destination: &o.Keep, Usage: "leave the content as an untagged entry, so that gc keeps it"},
			&cli.BoolFlag{Name: "with-referrers", Destination: &o.WithReferrers, Usage: "take out what has content without a name left as its subject, too"},
		}, to.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if registry.IsReference(args[0]) {
				return to.untag(ctx, e, args, o)
			}
			if err := to.only(args[0]); err != nil {
				return nil, err
			}
			l, first, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			refs, err := inOneLayout(first, args[1:])
			if err != nil {
				return nil, err
			}
			done, err := l.Untag(ctx, refs, o)
			if err != nil {
				return nil, err
			}
			return changes(done), nil
		},
	}
}
