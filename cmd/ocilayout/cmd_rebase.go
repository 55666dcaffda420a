package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/mutate"
)

func rebaseCommand() *command {
	var f deriveFlags
	var r rebaseFlags
	var check bool
	return &command{
		name:  "rebase",
		args:  "REF",
		short: "put an image on another base, or see whether its base has moved",
		long: "The layers and the history of the old base are replaced by those of the new one, on every image of an index; no layer is read. A base that is not given is that of the annotations " +
			"org.opencontainers.image.base.digest (the old one) and .name (the new one: what the name stands for now), which are brought up to date. " +
			"If the image does not begin with the layers of the old base, nothing is changed and the exit code is 4.\n\n" +
			"The config stays as it is. With --merge-config every variable, label, port, volume and other setting that is as the old base has it becomes what the new base has.\n\n" +
			"--check changes nothing: the exit code is 5 if the base of an image is another one by now. A REF that begins with : or @ is one in the same layout.",
		examples: []example{
			{"After the base was updated in the layout.", "ocilayout rebase images:app --replace"},
			{"On a base from another layout.", "ocilayout rebase images:app --old-base :debian:12 --new-base bases:debian:12 --tag app:next"},
			{"Whether there is something to do.", "ocilayout rebase images:app --check"},
		},
		flags: append([]cli.Flag{
			&cli.StringFlag{Name: "new-base", Destination: &r.next.text, Usage: "put it on `REF`"},
			&cli.StringFlag{Name: "old-base", Destination: &r.old.text, Usage: "it was built on `REF`"},
			&cli.BoolFlag{Name: "merge-config", Destination: &r.merge, Usage: "take over settings of the new base where the image has those of the old one"},
			&cli.BoolFlag{Name: "check", Destination: &check, Usage: "only say whether the base has moved"},
		}, f.flags()...),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			defer closing(&r, &err)
			if check && (f.tag != "" || f.replace || r.merge) {
				return nil, &usageError{"--check changes nothing, and has no use for --tag, --replace and --merge-config", "rebase"}
			}
			if check {
				return e.checkBase(ctx, args[0], f.platform, &r)
			}
			if err := f.check("rebase"); err != nil {
				return nil, err
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			return e.derive(ctx, l, ref, f, func() ([]mutate.Edit, error) { return everywhere(r.change(ctx, e, l.Reader)) })
		},
	}
}
