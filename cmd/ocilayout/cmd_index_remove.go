package main

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/mutate"
)

func indexRemoveCommand() *command {
	var f indexFlags
	return &command{
		name:  "index remove",
		args:  "REF",
		short: "take images out of an index, which makes a new one",
		long: "BuildKit's attestations of an image go with it; what else is in the index REF stays as it is, byte for byte. " +
			"Referrers of the old index, such as its signature, stay with that. Blobs stay until gc.",
		examples: []example{
			{"Without a platform.", "ocilayout index remove images:app --platform linux/386 --replace"},
			{"Without two of its children, under a new name.", "ocilayout index remove images:app --tag app-small --digest sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --platform windows/amd64"},
		},
		flags: append(f.targetFlags(),
			f.list.flag("platform", "take out the images for `PLATFORM`"),
			f.list.flag("digest", "take out the child `DIGEST`"),
			f.conflictFlag(),
		),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if err := f.checkTarget("index remove"); err != nil {
				return nil, err
			}
			o, err := f.options()
			if err != nil {
				return nil, err
			}
			gone := mutate.IndexRemoval{Platforms: o.Platforms}
			for _, text := range f.list.of("digest") {
				d := content.Digest(text)
				if err := content.CheckDigest(d); err != nil {
					return nil, err
				}
				gone.Digests = append(gone.Digests, d)
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			report, err := mutate.RemoveFromIndex(ctx, l, ref, gone, f.target)
			if err != nil {
				return nil, err
			}
			return indexReport{report}, nil
		},
	}
}
