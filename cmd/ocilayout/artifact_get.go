package main

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// getFlags say which files of which artifact are wanted, and where.
type getFlags struct {
	query                queryFlags
	list                 ordered // of file-name and media-type
	subject, dir, config string
	save                 artifact.SaveOptions
}

// get writes files, or returns the stream of one.
func (f *getFlags) get(ctx context.Context, e *env, args []string) (_ any, err error) {
	if (len(args) == 0) == (f.subject == "") {
		return nil, &usageError{"say which artifact: REF, or --subject REF", "artifact get"}
	}
	if f.subject == "" && f.query.filters() {
		return nil, &usageError{"--type, --annotation, --sort, --latest and --legacy choose among what is attached to --subject", "artifact get"}
	}
	if f.dir == "" && (f.save.Overwrite || f.save.StripDirs || f.save.KeepPacked) && f.config == "" {
		return nil, &usageError{"--overwrite, --strip-dirs and --keep-packed are about --output", "artifact get"}
	}
	if f.dir == "-" {
		return nil, &usageError{"--output is a directory: without it one file goes to standard output", "artifact get"}
	}
	if f.config == "-" && f.dir != "" {
		return nil, &usageError{"--config-out - leaves no place for files: say one of it and --output", "artifact get"}
	}
	r, ref, err := e.openReader(append(args, f.subject)[0])
	if err != nil {
		return nil, err
	}
	stream, err := f.from(ctx, r, ref)
	if raw, ok := stream.(render.Raw); ok {
		return render.Raw{ReadCloser: withCloser{raw.ReadCloser, r}}, nil
	}
	return stream, errors.Join(err, r.Close())
}

func (f *getFlags) from(ctx context.Context, r *layout.Reader, ref layout.Reference) (any, error) {
	desc, err := f.artifact(ctx, r, ref)
	if err != nil {
		return nil, err
	}
	items, err := artifact.Items(ctx, r, desc, artifact.Filter{Names: f.list.of("file-name"), MediaTypes: f.list.of("media-type")}, r.Limits())
	if err != nil {
		return nil, err
	}
	if f.config == "-" {
		config, err := artifact.OpenConfig(ctx, r, desc, r.Limits())
		if err != nil {
			return nil, err
		}
		return render.Raw{ReadCloser: config}, nil
	}
	if f.config != "" {
		if err := artifact.SaveConfig(ctx, r, desc, f.config, f.save); err != nil || f.dir == "" {
			return nil, err
		}
	}
	if f.dir == "" {
		blob, err := artifact.OpenOne(ctx, r, desc, items)
		if err != nil {
			return nil, err
		}
		return render.Raw{ReadCloser: blob}, nil
	}
	if len(items) == 0 {
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrNotFound, "the artifact has no such file"))
	}
	f.save.Limits = r.Limits()
	done, err := artifact.Save(ctx, r, items, f.dir, f.save)
	if err != nil {
		return nil, err
	}
	return saved(done), nil
}

// artifact finds the manifest: the one named, or the one attached.
func (f *getFlags) artifact(ctx context.Context, r *layout.Reader, ref layout.Reference) (content.Descriptor, error) {
	if f.subject == "" {
		entry, err := lookup(ctx, r, ref, f.query.platform)
		return entry.Descriptor, err
	}
	query, err := f.query.of(ctx, r, ref)
	if err != nil {
		return content.Descriptor{}, err
	}
	found, err := artifact.One(ctx, r, query)
	return found.Descriptor, err
}
