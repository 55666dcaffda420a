package main

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

func catCommand() *command {
	return &command{
		name:  "cat",
		args:  "LAYOUT@DIGEST",
		short: "write the bytes of a blob to standard output, verified",
		long:  "Bytes that are not those of the digest end in exit code 4, known only after the last of them.",
		examples: []example{
			{"What is in a layer.", "ocilayout cat images@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 | tar tz"},
			{"A config as it lies there.", "ocilayout cat images@$(ocilayout inspect images:app --format '{{.config.digest}}')"},
		},
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			r, ref, err := e.openReader(args[0])
			if err != nil {
				return nil, err
			}
			if ref.Digest == "" {
				err = content.Errorf(content.ErrInvalid, "%s has no digest: cat writes LAYOUT@DIGEST, inspect --raw the manifest of a name", ref)
				return nil, errors.Join(err, r.Close())
			}
			size, err := r.Size(ctx, ref.Digest)
			if err != nil {
				return nil, errors.Join(err, r.Close())
			}
			blob, err := r.Fetch(ctx, content.Descriptor{Digest: ref.Digest, Size: size})
			if err != nil {
				return nil, errors.Join(err, r.Close())
			}
			return render.Raw{ReadCloser: withCloser{blob, r}}, nil
		},
	}
}
