package main

import (
	"context"

	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

func appendCommand() *command {
	var f deriveFlags
	return &command{
		name:  "append",
		args:  "REF LAYER...",
		short: "put layers on top of an image",
		long: "A LAYER is a tar, plain or compressed, - for one from standard input, or a directory, and goes on every image of an index; the last one is the highest. " +
			"More is said in the words of mutate --layer-add: tar=FILE or dir=DIR with dest=/PATH, owner=UID:GID, mode=M, platform=P and so on, with commas between them.\n\n" +
			"With --tag the old image is recorded as the base of the new one, in the annotations org.opencontainers.image.base.digest and .name, for rebase; with --replace the base stays what it was.",
		examples: []example{
			{"A program, on a base, as an image of its own.", "ocilayout append images:base app.tar.gz --tag app"},
			{"A directory, at another place and as another user's.", "ocilayout append images:app dir=./site,dest=/srv/www,owner=33:33 --replace"},
			{"One binary for each platform of an index.", "ocilayout append images:base dir=out/amd64,platform=linux/amd64 dir=out/arm64,platform=linux/arm64 --tag app"},
		},
		flags:  f.flags(),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if err := f.check("append"); err != nil {
				return nil, err
			}
			var open closers
			defer func() { closing(open, &err) }()
			a := mutate.Append{Layers: make([]mutate.LayerAdd, len(args)-1)}
			for i, arg := range args[1:] {
				if a.Layers[i], err = mutate.ParseLayer(arg); err == nil {
					err = e.spool(&a.Layers[i], &open)
				}
				if err != nil {
					return nil, err
				}
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			return e.derive(ctx, l, ref, f, func() ([]mutate.Edit, error) {
				named, err := l.Lookup(ctx, ref)
				a.Name = named.Name()
				tag, _, _ := layout.NormalizeName(f.tag)
				a.Record = f.tag != "" && tag != a.Name
				return everywhere(a, err)
			})
		},
	}
}
