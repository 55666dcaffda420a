package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

func untagCommand() *command {
	var o layout.UntagOptions
	return &command{
		name:  "untag",
		args:  "REF...",
		short: "take names away",
		long:  "All references must be of one layout; all names go in one step or none does. LAYOUT@DIGEST is every name of a digest.",
		examples: []example{
			{"Two names.", "ocilayout untag images:app:v1 images:app:v2"},
			{"A name, with its content kept from gc.", "ocilayout untag --keep images:app:v1"},
			{"A name, with what refers to it, so that gc can take it.", "ocilayout untag --with-referrers images:app:v1"},
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "keep", Destination: &o.Keep, Usage: "leave the content as an untagged entry, so that gc keeps it"},
			&cli.BoolFlag{Name: "with-referrers", Destination: &o.WithReferrers, Usage: "take out what has content without a name left as its subject, too"},
		},
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			l, first, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			refs := []layout.Reference{first}
			for _, arg := range args[1:] {
				ref, err := layout.ParseReference(arg)
				if err != nil {
					return nil, err
				}
				if ref.Layout != first.Layout {
					return nil, content.Errorf(content.ErrInvalid, "%s is not in %s: untag one layout at a time", ref, first.Layout)
				}
				refs = append(refs, ref)
			}
			done, err := l.Untag(ctx, refs, o)
			if err != nil {
				return nil, err
			}
			return changes(done), nil
		},
	}
}
