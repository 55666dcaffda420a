package main

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"
	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

func putCommand() *command {
	var mediaType, algorithm string
	return &command{
		name:  "put",
		args:  "LAYOUT FILE",
		short: "store a file as a blob and print its descriptor",
		long:  "FILE may be - for standard input. Nothing refers to the blob yet, so the next gc takes it unless something does by then.",
		examples: []example{
			{"A file, with the digest alone printed.", "ocilayout put images notes.txt --format '{{.digest}}'"},
			{"What another program writes.", "tar cz etc | ocilayout put images - --media-type application/vnd.oci.image.layer.v1.tar+gzip"},
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "media-type", Value: "application/octet-stream", Destination: &mediaType, Usage: "the `TYPE` that the descriptor says"},
			&cli.StringFlag{Name: "digest-algo", Value: "sha256", Destination: &algorithm, Usage: "name the blob by `ALGO`: sha256 or sha512"},
		},
		run: func(ctx context.Context, e *env, args []string) (_ any, err error) {
			switch {
			case !artifact.IsMediaType(mediaType):
				return nil, content.Errorf(content.ErrInvalid, "--media-type %q: is not a media type", mediaType)
			case algorithm != "sha256" && algorithm != "sha512":
				return nil, content.Errorf(content.ErrInvalid, "--digest-algo %q: want sha256 or sha512", algorithm)
			}
			l, ref, err := e.openWriter(args[0])
			if err != nil {
				return nil, err
			}
			defer closing(l, &err)
			if err := wholeLayout(ref); err != nil {
				return nil, err
			}
			file, err := e.input(args[1])
			if err != nil {
				return nil, err
			}
			desc, err := l.Put(ctx, mediaType, digest.Algorithm(algorithm), file)
			if err := errors.Join(err, file.Close()); err != nil {
				return nil, err
			}
			return descriptor(desc), nil
		},
	}
}

// descriptor shows a descriptor as a line of facts.
type descriptor content.Descriptor

// Tables has one row.
func (d descriptor) Tables() []render.Table {
	return []render.Table{{Rows: [][]string{{d.Digest.String(), render.Size(d.Size), d.MediaType}}}}
}
