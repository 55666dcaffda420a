package verify

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A subject is an image of which something is required.
type subject struct {
	entry
	images []image // for platforms, whether or not they are there
}

// An image is one manifest of a subject.
type image struct {
	pointer
	platform *content.Platform // nil if nothing says it
	present  bool              // its manifest was read
}

// title is what a subject is called.
func (s subject) title() string { return truncate(cmp.Or(s.name, string(s.digest))) }

// where is the address of what a subject lacks.
func (s subject) where() at {
	if s.n < 0 {
		return at{digest: s.digest}
	}
	return at{indexFile.path, s.digest}
}

// required says whether anything is required of images.
func (o Options) required() bool {
	return len(o.Referrers) > 0 || len(o.Platforms) > 0 || len(o.Expect) > 0
}

// subjects are the images among entries that have a name; those that the caller named
// are, whatever they hold.
func (c *checker) subjects(entries []entry, whole bool) []subject {
	if !c.o.required() {
		return nil
	}
	var list []subject
	seen := map[content.Digest]bool{}
	for _, e := range entries {
		if seen[e.digest] || whole && (!e.image || e.name == "") {
			continue
		}
		images := c.images(nil, e.pointer, e.platform, map[content.Digest]bool{})
		if whole && len(images) == 0 {
			continue // an artifact
		}
		seen[e.digest] = true
		list = append(list, subject{e, images})
	}
	return list
}

// images adds the images that p leads to, in an index at any depth.
func (c *checker) images(list []image, p pointer, platform *content.Platform, seen map[content.Digest]bool) []image {
	v := c.manifests[p.digest]
	if v == nil || seen[p.digest] {
		return list
	}
	seen[p.digest] = true
	switch {
	case v.index:
		for _, child := range v.children {
			if !child.attests {
				list = c.images(list, child.pointer, child.platform, seen)
			}
		}
	case !v.read:
		list = append(list, image{p, platform, false})
	case v.image:
		if platform == nil {
			platform = v.platform
		}
		list = append(list, image{p, platform, true})
	}
	return list
}

// requirements holds images to the platforms and referrers that they must have.
func (c *checker) requirements(subjects []subject) {
	for _, s := range subjects {
		for _, want := range c.o.Platforms {
			c.requirePlatform(s, want)
		}
	}
	if len(c.o.Referrers) == 0 {
		return
	}
	types := map[content.Digest]map[string]bool{}
	for _, v := range c.manifests {
		if v.subject == "" {
			continue
		}
		if types[v.subject] == nil {
			types[v.subject] = map[string]bool{}
		}
		types[v.subject][v.artifactType] = true
	}
	for _, s := range subjects {
		for _, want := range c.o.Referrers {
			if !types[s.digest][want] {
				c.errorf(RequiredReferrer, s.where(), "%s has no referrer of type %q", s.title(), truncate(want))
			}
		}
	}
}

func (c *checker) requirePlatform(s subject, want content.Platform) {
	var there, absent []string
	for _, i := range s.images {
		if i.platform == nil {
			continue
		}
		have := content.NormalizePlatform(*i.platform)
		switch fits := content.MatchPlatform(want, have); {
		case fits && i.present:
			return
		case fits:
			absent = append(absent, string(i.digest))
		case i.present:
			there = append(there, truncate(content.FormatPlatform(have)))
		}
	}
	platform := content.FormatPlatform(want)
	switch {
	case absent != nil:
		c.errorf(RequiredPlatform, s.where(), "%s lists its image for %s, %s, which is not here", s.title(), platform, absent[0])
	case there != nil:
		c.errorf(RequiredPlatform, s.where(), "%s has no image for %s, only for %s", s.title(), platform, truncate(strings.Join(there, ", ")))
	default:
		c.errorf(RequiredPlatform, s.where(), "%s has no image for %s", s.title(), platform)
	}
}

// referrersOf finds the referrers of roots that are required, to be judged with them.
// What the catalog knows is asked first; that it knows of none proves nothing. The
// error is of ctx.
func (c *checker) referrersOf(ctx context.Context, roots []entry) ([]entry, error) {
	var found []entry
	var all *layout.ReferrerMap
	for _, root := range roots {
		have := map[string]bool{}
		add := func(d content.Descriptor) {
			have[d.ArtifactType] = true
			if slices.Contains(c.o.Referrers, d.ArtifactType) {
				found = append(found, entry{pointer: pointer{d.MediaType, d.Digest}, size: d.Size, n: -1})
			}
		}
		list, err := c.r.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: root.digest}})
		for _, r := range list {
			if r.Origin.Bound() {
				add(r.Descriptor)
			}
		}
		lacks := func(t string) bool { return !have[t] }
		if all == nil && (err != nil || slices.ContainsFunc(c.o.Referrers, lacks)) {
			m, mapErr := c.r.ReferrerMap(ctx)
			all, err = &m, mapErr
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			c.errorf(RequiredReferrer, at{digest: root.digest}, "what refers to it can't be told: %s", reason(err))
		}
		if all != nil {
			for _, d := range all.Of(root.digest) {
				add(d)
			}
		}
	}
	return found, nil
}
