package main

import (
	"context"
	"path"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// remoteTags lists the tags of a repository: those that people gave, unless all are
// asked for.
func (f *registryFlags) remoteTags(ctx context.Context, e *env, arg string, o layout.ListOptions, match []string) (any, error) {
	ref, s, err := f.target(e, arg)
	if err != nil {
		return nil, err
	}
	if ref.Tag != "" || ref.Digest != "" {
		return nil, content.Errorf(content.ErrInvalid, "%s is one image, and a repository is wanted: %s", ref, ref.Name())
	}
	for _, pattern := range match {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, content.Errorf(content.ErrInvalid, "--match %q: %v", pattern, err)
		}
	}
	keep := func(tag string) bool {
		return (o.All || !layout.IsReferrerTag(tag)) && matches(tag, match)
	}
	list, err := registry.ListTags(ctx, s, ref, keep, o.Details)
	if err != nil {
		return nil, err
	}
	return tagList{list, o.Details}.rows(), nil
}

func matches(tag string, patterns []string) bool {
	for _, pattern := range patterns {
		if ok, err := path.Match(pattern, tag); ok && err == nil {
			return true
		}
	}
	return len(patterns) == 0
}

// tagList shows the tags of a repository to people.
type tagList struct {
	tags    []registry.TagListing
	details bool
}

func (l tagList) rows() render.List[registry.TagListing] {
	header := []string{"NAME"}
	if l.details {
		header = []string{"NAME", "DIGEST", "MEDIA TYPE"}
	}
	return render.List[registry.TagListing]{Header: header, Row: l.row, Items: func(yield func(registry.TagListing, error) bool) {
		for _, t := range l.tags {
			if !yield(t, nil) {
				return
			}
		}
	}}
}

func (l tagList) row(t registry.TagListing) []string {
	if l.details {
		return []string{t.Name, t.Digest.String(), t.MediaType}
	}
	return []string{t.Name}
}
