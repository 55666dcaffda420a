package main

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// remoteList lists the tags of a repository, those that people gave unless all are asked
// for, or the repositories of a registry.
func (f *registryFlags) remoteList(ctx context.Context, e *env, arg string, o layout.ListOptions) (any, error) {
	for _, pattern := range slices.Concat(o.Match, o.Exclude) {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, content.Errorf(content.ErrInvalid, "%q is no pattern for names", pattern)
		}
	}
	chosen := func(name string) bool {
		return (len(o.Match) == 0 || fits(name, o.Match)) && !fits(name, o.Exclude)
	}
	if host, ok := strings.CutSuffix(strings.TrimPrefix(arg, registry.Scheme), "/"); ok && !strings.Contains(host, "/") {
		return f.remoteRepositories(ctx, e, host, chosen, o.Details)
	}
	ref, s, err := f.target(e, arg)
	if err != nil {
		return nil, err
	}
	if ref.Tag != "" || ref.Digest != "" {
		return nil, content.Errorf(content.ErrInvalid, "%s is one image, and a repository is wanted: %s", ref, ref.Name())
	}
	keep := func(tag string) bool {
		return (o.All && !o.NoDigestTags || !layout.IsReferrerTag(tag)) && chosen(tag)
	}
	list, err := registry.ListTags(ctx, s, ref, keep, o.Details)
	if err != nil {
		return nil, err
	}
	return tagList{list, o.Details}.rows(), nil
}

func (f *registryFlags) remoteRepositories(ctx context.Context, e *env, arg string, chosen func(string) bool, details bool) (any, error) {
	if details {
		return nil, content.Errorf(content.ErrInvalid, "--long is about the tags of a repository, and %s is a registry", arg)
	}
	host, err := registry.ParseHost(arg)
	if err != nil {
		return nil, err
	}
	s, err := f.session(e)
	if err != nil {
		return nil, err
	}
	names, err := registry.Repositories(ctx, s, host)
	if err != nil {
		return nil, err
	}
	var list []registry.TagListing
	for _, name := range names {
		if chosen(name) {
			list = append(list, registry.TagListing{Name: name})
		}
	}
	return tagList{list, false}.rows(), nil
}

// fits is path.Match of one of the patterns, in which a "/" is a character like others.
func fits(name string, patterns []string) bool {
	plain := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(plain(pattern), plain(name))
		return ok && err == nil
	})
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
