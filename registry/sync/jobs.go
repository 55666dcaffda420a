package sync

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// jobs lists the names that an entry is about. Nothing is known of them yet.
func (ob *observer) jobs(ctx context.Context, e *Entry) ([]Job, error) {
	switch e.Type {
	case typeImage:
		return []Job{{Entry: e, Source: e.source, Target: e.target}}, nil
	case typeRepository:
		return ob.repository(ctx, e, e.source.Place, e.target.Place)
	case typeLayout:
		return ob.wholeLayout(ctx, e)
	}
	repositories, err := ob.repositories(ctx, e.source.Host)
	if err != nil {
		return nil, err
	}
	var jobs []Job
	for _, name := range repositories {
		if !e.rules.repos.take(name) {
			continue
		}
		more, err := ob.repository(ctx, e, e.source.below(name), e.target.below(name))
		if err != nil {
			more = []Job{{Entry: e, Source: Point{Place: e.source.below(name)}, Target: Point{Place: e.target.below(name)}, From: Seen{Err: err}}}
		}
		jobs = append(jobs, more...)
	}
	return jobs, nil
}

func (ob *observer) repositories(ctx context.Context, host string) ([]string, error) {
	if ob.lock != nil {
		return ob.lock.repositories(host), nil
	}
	return registry.Repositories(ctx, ob.s, host)
}

// repository chooses among the tags of a source.
func (ob *observer) repository(ctx context.Context, e *Entry, source, target Place) ([]Job, error) {
	tags, err := ob.tags(ctx, source)
	if err != nil {
		return nil, err
	}
	tags = e.Filter(tags)
	if isSet(e.Referrers) { // they come with their subjects, and each side has its own lists of them
		tags = slices.DeleteFunc(tags, isFallback)
	}
	if ob.lock == nil && e.NeedTimes() {
		made, err := ob.times(ctx, source, tags)
		if err != nil {
			return nil, err
		}
		tags = e.Choose(tags, func(tag string) time.Time { return made[tag] })
	} else if ob.lock == nil {
		tags = e.Choose(tags, nil)
	}
	var jobs []Job
	for _, tag := range tags {
		jobs = append(jobs, Job{Entry: e, Source: source.named(tag), Target: target.named(tag)})
	}
	return jobs, nil
}

// isFallback says whether a tag is that of a list of referrers.
func isFallback(tag string) bool {
	hex, ok := strings.CutPrefix(tag, "sha256-")
	return ok && len(hex) == 64 && content.IsHex(hex)
}

// tags lists those of a source.
func (ob *observer) tags(ctx context.Context, p Place) ([]string, error) {
	if ob.lock != nil {
		return ob.lock.names(p), nil
	}
	ob.mu.Lock()
	ob.listed = append(ob.listed, p)
	ob.mu.Unlock()
	if p.Layout == "" {
		repo, err := ob.s.OpenToRead(ctx, Point{Place: p}.reference())
		if err != nil {
			return nil, err
		}
		return repo.Tags(ctx)
	}
	s, err := ob.shelf(ctx, p.Layout)
	if err == nil {
		err = s.present(p.Layout)
	}
	if err != nil {
		return nil, err
	}
	return s.allTags(), nil
}

// wholeLayout lists all names of a layout.
func (ob *observer) wholeLayout(ctx context.Context, e *Entry) ([]Job, error) {
	if _, err := ob.tags(ctx, e.source.Place); err != nil {
		return nil, err
	}
	s, err := ob.shelf(ctx, e.source.Layout)
	if err != nil {
		return nil, err
	}
	names := map[string][]string{} // by repository, tags
	var all []string
	for name := range s.names {
		repository := repositoryOf(name)
		if repository == "" || e.rules.repos.take(repository) {
			names[repository] = append(names[repository], tagOf(name))
			all = append(all, name)
		}
	}
	made := map[string]time.Time{}
	if e.NeedTimes() {
		if made, err = ob.times(ctx, e.source.Place, all); err != nil {
			return nil, err
		}
	}
	var jobs []Job
	for repository, tags := range names {
		full := func(tag string) string {
			if repository == "" {
				return tag
			}
			return repository + ":" + tag
		}
		for _, tag := range e.Choose(e.Filter(tags), func(tag string) time.Time { return made[full(tag)] }) {
			job := Job{Entry: e, Source: e.source.named(full(tag)), Target: e.target.named(full(tag))}
			if _, path, ok := strings.Cut(repository, "/"); ok && e.target.Layout == "" {
				job.Target = e.target.below(path).named(tag)
			}
			if job.Target.Layout == "" && job.Target.Repository == "" {
				job.Have.Err = content.At(job.Source.String(), content.Errorf(content.ErrInvalid, "the name has no repository, and the target %s has none either", e.Target))
			}
			jobs = append(jobs, job)
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return strings.Compare(a.Source.Name, b.Source.Name) })
	return jobs, nil
}
