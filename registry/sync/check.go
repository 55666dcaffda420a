package sync

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// foreseen says of steps that would look at images again whether there is anything to
// find: whether the source has what refers to the image, and the target has not. What
// refers to children of an index, or to referrers, is not looked at.
func (r *runner) foreseen(ctx context.Context, ob *observer, steps []Step) error {
	return ob.each(ctx, len(steps), func(ctx context.Context, i int) error {
		s := &steps[i]
		if s.Action != ActionRefresh {
			return nil
		}
		there, err := ob.belongings(ctx, s.Source.Place, s, true)
		if err != nil {
			s.fail(err)
			return ctx.Err()
		}
		here, err := ob.belongings(ctx, s.Target.Place, s, false)
		if err != nil {
			s.fail(err)
			return ctx.Err()
		}
		s.Action, s.Reason = ActionKeep, "same digest, and nothing new refers to it"
		for d := range there {
			if !here[d] {
				s.Action, s.Reason = ActionRefresh, "same digest; something new refers to it"
			}
		}
		return nil
	})
}

// belongings are what goes along with the image of a step, as a place has it: digests,
// and cosign's tags with theirs. Of a source it is what the entry takes.
func (ob *observer) belongings(ctx context.Context, p Place, s *Step, source bool) (map[string]bool, error) {
	found := map[string]bool{}
	image := content.Descriptor{Digest: s.From.wanted(), MediaType: s.From.MediaType}
	if !isSet(s.Entry.DigestTags) && !isSet(s.Entry.Referrers) {
		return found, nil
	}
	pick := s.Entry.along()
	if !source {
		pick = layout.Belongings{}
	}
	note := func(list []content.Descriptor) error {
		for _, d := range pick.Pick(slices.Clone(list)) {
			found[d.Digest.String()] = true
		}
		return nil
	}
	var tags []string
	var err error
	if p.Layout != "" {
		shelf, e := ob.shelf(ctx, p.Layout)
		if e != nil || shelf.reader == nil {
			return found, e
		}
		err = shelf.reader.Referrers(ctx, image, "", note)
		for name := range shelf.names {
			tags = append(tags, name)
		}
	} else {
		repo, e := ob.open(source)(ctx, Point{Place: p}.reference())
		if e != nil {
			return nil, e
		}
		if isSet(s.Entry.Referrers) {
			err = repo.Referrers(ctx, image, "", note)
		}
		if isSet(s.Entry.DigestTags) && err == nil {
			tags, err = ob.tagsOnce(ctx, repo, side{p, source})
		}
	}
	if err != nil || !isSet(s.Entry.DigestTags) {
		return found, err
	}
	for _, tag := range tags {
		base, _, _ := strings.Cut(tag, ".")
		if base == layout.FallbackTag(image.Digest) && (layout.Summary{Name: tag}).IsCosignTag() {
			var seen Seen
			if source && p.Layout == "" {
				seen = head(ctx, ob.s.OpenToRead, p.named(tag))
			} else {
				seen = ob.target(ctx, p.named(tag))
			}
			if seen.Err != nil {
				return nil, seen.Err
			}
			found[tag+"="+seen.Digest.String()] = true
		}
	}
	return found, nil
}

// A side is a place as a source, which is seen through mirrors, or as a target.
type side struct {
	Place
	source bool
}

// open opens repositories of sources, or of targets.
func (ob *observer) open(source bool) opener {
	if source {
		return ob.s.OpenToRead
	}
	return ob.s.Open
}

// tagsOnce lists the tags that cosign gave in a repository, once; none if there is no
// such.
func (ob *observer) tagsOnce(ctx context.Context, repo *registry.Repository, at side) ([]string, error) {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if tags, ok := ob.cosign[at]; ok {
		return tags, nil
	}
	tags, err := repo.Tags(ctx)
	if errors.Is(err, content.ErrNotFound) {
		tags, err = nil, nil
	}
	if err == nil {
		tags = slices.DeleteFunc(tags, func(tag string) bool { return !(layout.Summary{Name: tag}).IsCosignTag() })
		ob.cosign[at] = tags
	}
	return tags, err
}
