package sync

import (
	"cmp"
	"regexp"
	"slices"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/retain"
)

// rules are the filters of an entry, ready for use.
type rules struct {
	sets   []tagSet // a tag is taken that any of these takes; none takes all
	repos  patterns
	choice *choice
	prune  *retain.Rules
}

// patterns take what an allow pattern matches, if there is any, and no deny pattern.
type patterns struct{ allow, deny []*regexp.Regexp }

func (p patterns) take(name string) bool {
	matches := func(r *regexp.Regexp) bool { return r.MatchString(name) }
	return (len(p.allow) == 0 || slices.ContainsFunc(p.allow, matches)) && !slices.ContainsFunc(p.deny, matches)
}

// compilePattern makes a pattern that must match a name from its beginning to its end.
// The alternatives in it are grouped: "a|i2" takes a and i2, not all that begins with a.
func compilePattern(text string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(text); err != nil { // so that no bracket closes the group
		return nil, content.Errorf(content.ErrInvalid, "%v", err)
	}
	return regexp.Compile("^(?:" + text + ")$")
}

// A tagSet is one filter of tags.
type tagSet struct {
	ranges []versionRange
	patterns
}

func (s tagSet) take(tag string) bool {
	if len(s.ranges) > 0 {
		v, ok := parseVersion(tag)
		if !ok || !slices.ContainsFunc(s.ranges, func(r versionRange) bool { return r.has(v) }) {
			return false
		}
	}
	return s.patterns.take(tag)
}

// A choice is of the newest tags.
type choice struct {
	within versionRange // nil has all
	match  *regexp.Regexp
	by     retain.Order
	limit  int
}

// NeedTimes says whether Choose must know when images were made.
func (e *Entry) NeedTimes() bool {
	return e.rules.choice != nil && e.rules.choice.limit > 0 && e.rules.choice.by == retain.ByCreated
}

// Filter says which tags the filters of an entry take, in the order of their bytes, each
// once.
func (e *Entry) Filter(tags []string) []string {
	var taken []string
	for _, tag := range tags {
		if len(e.rules.sets) > 0 && !slices.ContainsFunc(e.rules.sets, func(s tagSet) bool { return s.take(tag) }) {
			continue
		}
		if c := e.rules.choice; c != nil && !c.fits(tag) {
			continue
		}
		taken = append(taken, tag)
	}
	slices.Sort(taken)
	return slices.Compact(taken)
}

// fits says whether a tag may be chosen.
func (c *choice) fits(tag string) bool {
	v, isVersion := parseVersion(tag)
	return (c.match == nil || c.match.MatchString(tag)) &&
		(isVersion || c.within == nil && (c.by != retain.BySemver || c.limit == 0)) &&
		(c.within == nil || c.within.has(v))
}

// Choose says which of the tags that Filter gave are taken: all, or the newest. made
// says when the image of a tag was made; zero, for nobody knows, is never among the
// newest. It is asked only if e.NeedTimes.
func (e *Entry) Choose(tags []string, made func(tag string) time.Time) []string {
	c := e.rules.choice
	if c == nil || c.limit == 0 {
		return tags
	}
	tags = slices.Clone(tags)
	if c.by == retain.ByCreated {
		tags = slices.DeleteFunc(tags, func(tag string) bool { return made(tag).IsZero() })
	}
	slices.SortFunc(tags, func(a, b string) int { return -c.order(a, b, made) })
	tags = tags[:min(c.limit, len(tags))]
	slices.Sort(tags)
	return tags
}

// order compares tags by age, the older one first; of the same age, by their bytes.
func (c *choice) order(a, b string, made func(string) time.Time) int {
	order := 0
	switch c.by {
	case retain.BySemver:
		v, _ := parseVersion(a)
		w, _ := parseVersion(b)
		order = v.compare(w)
	case retain.ByCreated:
		order = made(a).Compare(made(b))
	}
	return cmp.Or(order, cmp.Compare(a, b))
}

// takes says whether the entry takes a media type.
func (e *Entry) takes(mediaType string) bool {
	if len(e.MediaTypes) == 0 {
		return slices.Contains(usualTypes, mediaType)
	}
	return slices.Contains(e.MediaTypes, mediaType)
}

// usualTypes are taken unless mediaTypes says otherwise.
var usualTypes = []string{
	"application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.oci.image.index.v1+json",
}
