package main

import (
	"context"
	"errors"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// attachments are one artifact of all files, or one of each.
func attachments(subject content.Descriptor, o artifact.Options, each bool) []artifact.Attachment {
	if !each || len(o.Files) == 0 {
		return []artifact.Attachment{{Subject: subject, Options: o}}
	}
	var list []artifact.Attachment
	for i := range o.Files {
		one := o
		one.Files = o.Files[i : i+1]
		list = append(list, artifact.Attachment{Subject: subject, Options: one})
	}
	return list
}

// artifacts opens the one layout of REF@DIGEST arguments and finds what they name.
// The caller closes it.
func (e *env) artifacts(ctx context.Context, args []string) (*layout.Layout, []content.Descriptor, error) {
	l, first, err := e.openWriter(args[0])
	if err != nil {
		return nil, nil, err
	}
	var found []content.Descriptor
	for _, arg := range args {
		ref, err := layout.ParseReference(arg)
		switch {
		case err != nil:
		case ref.Digest == "":
			err = content.Errorf(content.ErrInvalid, "%s has no digest: detach takes REF@DIGEST", ref)
		case ref.Layout != first.Layout:
			err = content.Errorf(content.ErrInvalid, "%s and %s are two layouts: detach takes one", first.Layout, ref.Layout)
		default:
			var entry layout.Entry
			entry, err = l.Lookup(ctx, layout.Reference{Digest: ref.Digest})
			if errors.Is(err, content.ErrNotFound) { // a list of referrers may have it all the same
				entry.Descriptor, err = content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: ref.Digest}, nil
			}
			found = append(found, entry.Descriptor)
		}
		if err != nil {
			return nil, nil, errors.Join(err, l.Close())
		}
	}
	return l, found, nil
}

// queryFlags say which of an image's referrers are meant.
type queryFlags struct {
	query             artifact.Query
	list              ordered // of annotation
	platform          string
	recursive, legacy bool
}

func (f *queryFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "type", Destination: &f.query.Type, Usage: "only artifacts of `TYPE`"},
		f.list.flag("annotation", "only artifacts that have the annotation `KEY=VALUE`"),
		&cli.StringFlag{Name: "sort", Destination: &f.query.Sort, Usage: "order by `KEY`: created, size, type, or an annotation's key"},
		&cli.BoolFlag{Name: "latest", Destination: &f.query.Latest, Usage: "only the last one: by time of creation, or by --sort"},
		&cli.StringFlag{Name: "platform", Destination: &f.platform, Usage: platformUsage},
		&cli.BoolFlag{Name: "legacy", Destination: &f.legacy, Usage: "also cosign's tags, BuildKit's attestations, and what names no subject itself"},
	}
}

// filters says whether any flag chooses among referrers.
func (f *queryFlags) filters() bool {
	return f.query.Type+f.query.Sort != "" || f.query.Latest || f.legacy || len(f.list) > 0
}

// only lifts what is attached in older ways, and lists nothing.
func (f *queryFlags) only(ctx context.Context, e *env, lift liftFlags, arg string) (any, error) {
	switch {
	case !lift.lift:
		return nil, &usageError{"--drop-tags is about --lift", "referrers"}
	case f.filters() || f.recursive || f.query.Descending:
		return nil, &usageError{"--lift lists nothing: only --platform and --drop-tags go with it", "referrers"}
	}
	return lift.run(ctx, e, arg, f.platform)
}

// of makes the query about ref.
func (f *queryFlags) of(ctx context.Context, r *layout.Reader, ref layout.Reference) (artifact.Query, error) {
	subject, err := locate(ctx, r, ref, f.platform)
	if err != nil {
		return f.query, err
	}
	return f.about(subject)
}

func (f *queryFlags) about(subject content.Descriptor) (q artifact.Query, err error) {
	q = f.query
	q.Subject, q.Recursive, q.Legacy = subject, f.recursive, f.legacy
	q.Annotations, err = parsePairs("annotation", f.list.of("annotation"))
	return q, err
}

// remote lists what refers to an image in a registry.
func (f *queryFlags) remote(ctx context.Context, from *registry.Found) (any, error) {
	subject, err := pick(ctx, from, from.Descriptor, f.platform)
	if err != nil {
		return nil, err
	}
	q, err := f.about(subject)
	if err != nil {
		return nil, err
	}
	found, err := from.FindReferrers(ctx, q.ReferrerQuery)
	if err != nil {
		return nil, err
	}
	return referrersOf(artifact.Arrange(found, q), f.legacy), nil
}
