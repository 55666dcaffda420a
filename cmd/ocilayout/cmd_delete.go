package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

func deleteCommand() *command {
	var withReferrers, yes bool
	var from registryFlags
	return &command{
		name:  "delete",
		args:  "REF@DIGEST",
		short: "take a manifest out of a layout or registry, with all its names",
		long: "Its blobs stay on the disk until gc. To take away one name of several, untag it.\n\n" +
			"REF may be a repository of a registry, docker://HOST[:PORT]/REPOSITORY: then --yes must be given, since the registry gives nothing back. What refers to the manifest goes before it. " + forRegistries,
		examples: []example{
			{"An image by its digest.", "ocilayout delete images@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			{"An image in a registry, with what refers to it.", "ocilayout delete --yes --with-referrers docker://registry.example.com/team/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			{"What a name stands for, with its signatures and SBOMs.", "ocilayout delete --with-referrers images@$(ocilayout digest images:app)"},
		},
		flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "with-referrers", Destination: &withReferrers, Usage: "take out what has it as its subject, too"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Destination: &yes, Usage: "do delete; needed for a registry alone"},
		}, from.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if registry.IsReference(args[0]) {
				return from.remove(ctx, e, args[0], withReferrers, yes)
			}
			if err := from.only(args[0]); err != nil {
				return nil, err
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			if ref.Digest == "" {
				return nil, content.Errorf(content.ErrInvalid, "%s has no digest: delete takes REF@DIGEST, untag a name", ref)
			}
			if _, err := l.Lookup(ctx, ref); err != nil {
				return nil, err
			}
			done, err := l.Delete(ctx, ref.Digest, withReferrers)
			return e.deleted(done, err)
		},
	}
}
