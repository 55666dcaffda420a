package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
)

func attachCommand() *command {
	var f artifactFlags
	var presets attachPresets
	var platform string
	var each bool
	return &command{
		name:  "attach",
		args:  "REF [FILE[:MEDIATYPE]...]",
		short: "attach files to an image, an index or another artifact, whose digest stays as it is",
		long: "The files become one artifact that has REF as its subject; a directory is packed, and - is standard input. " +
			"The same files attached twice are one artifact.",
		examples: []example{
			{"An SBOM, whose type is read from the file.", "ocilayout attach images:app --sbom sbom.json"},
			{"What cosign signed, with the annotations that cosign verify looks for.", "ocilayout attach images:app --sigstore-bundle app.sigstore.json"},
			{"A report from another program, with its type and an annotation.", "scanner app | ocilayout attach images:app -:text/plain --type text/report --title report.txt --annotation level=high"},
			{"One artifact for each file, to the image for one platform.", "ocilayout attach images:app --platform linux/arm64 --each *.sig"},
		},
		flags: append(append(f.flags(), presets.flags()...),
			&cli.StringFlag{Name: "platform", Destination: &platform, Usage: platformUsage},
			&cli.BoolFlag{Name: "each", Destination: &each, Usage: "make an artifact of each file, all in one step"},
		),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			if each && len(args) == 1 {
				return nil, content.Errorf(content.ErrInvalid, "--each is about files, and none is given")
			}
			o, err := f.options(e, args[1:], presets.given())
			if err != nil {
				return nil, err
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			subject, err := locate(ctx, l.Reader, ref, platform)
			if err != nil {
				return nil, err
			}
			var open closers
			defer func() { closing(open, &err) }()
			list, err := presets.attachments(e, &open, subject, o)
			if err != nil {
				return nil, err
			}
			if !presets.given() {
				list = attachments(subject, o, each)
			}
			done, err := artifact.AttachAll(ctx, l, list)
			if err != nil {
				return nil, err
			}
			return attached(done), nil
		},
	}
}
