package main

import (
	"context"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

func catCommand() *command {
	var platform string
	var layer layerNumber
	var from registryFlags
	return &command{
		name:  "cat",
		args:  "REF [PATH]",
		short: "write a file of an image, or a blob, to standard output, verified",
		long: "With PATH: the bytes of that file in the image, links followed inside it. Layers are read from the top, and only as far down as the answer takes; nothing is written before the layer that holds the file is proven.\n\n" +
			"Without: REF is LAYOUT@DIGEST, and the blob is written. Bytes that are not those of the digest end in exit code 4, known only after the last of them.\n\n" + registryUsage,
		examples: []example{
			{"A file of an image.", "ocilayout cat images:app /etc/os-release"},
			{"What is in a layer.", "ocilayout cat images@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 | tar tz"},
			{"A config as it lies there.", "ocilayout cat images@$(ocilayout inspect images:app --format '{{.config.digest}}')"},
		},
		flags: append([]cli.Flag{
			layer.flag(),
			&cli.StringFlag{Name: "platform", Destination: &platform, Usage: platformUsage},
		}, from.flags()...),
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			if len(args) == 1 && (platform != "" || layer != 0) {
				return nil, &usageError{"--platform and --layer are about a file: say which PATH", "cat"}
			}
			if registry.IsReference(args[0]) {
				return from.remoteCat(ctx, e, args, platform, layer)
			}
			if err := from.only(args[0]); err != nil {
				return nil, err
			}
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			var bytes io.ReadCloser
			if len(args) == 1 {
				bytes, err = openBlob(ctx, r, ref)
			} else {
				bytes, err = e.openImageFile(ctx, r, ref, platform, layer, args[1])
			}
			if err != nil {
				return nil, errors.Join(err, r.Close())
			}
			return render.Raw{ReadCloser: withCloser{bytes, r}}, nil
		},
	}
}

func openBlob(ctx context.Context, r *layout.Reader, ref layout.Reference) (io.ReadCloser, error) {
	if ref.Digest == "" {
		return nil, content.Errorf(content.ErrInvalid, "%s has no digest: cat writes the blob LAYOUT@DIGEST, or with a PATH a file of an image; inspect --raw writes the manifest of a name", ref)
	}
	size, err := r.Size(ctx, ref.Digest)
	if err != nil {
		return nil, err
	}
	return r.Fetch(ctx, content.Descriptor{Digest: ref.Digest, Size: size})
}

func (e *env) openImageFile(ctx context.Context, r *layout.Reader, ref layout.Reference, platform string, layer layerNumber, path string) (io.ReadCloser, error) {
	layers, err := e.imageLayers(ctx, r, ref, platform)
	if err != nil {
		return nil, err
	}
	return openFile(ctx, r, layers, layer, path)
}

// openFile opens a file of an image, or of one of its layers alone.
func openFile(ctx context.Context, r place, layers []imagefs.Layer, layer layerNumber, path string) (io.ReadCloser, error) {
	if layer == 0 {
		file, err := imagefs.Find(ctx, r, layers, path, r.Limits())
		if err != nil {
			return nil, err
		}
		return file.Open(ctx)
	}
	at, err := layer.of(layers)
	if err != nil {
		return nil, err
	}
	file, err := imagefs.FindIn(ctx, r, layers[at], path, r.Limits())
	if err != nil {
		return nil, err
	}
	return file.Open(ctx)
}
