package consumer

import (
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// What the user asks for can fail like a rule.
var (
	platformWanted = Rule{ID: "platform-wanted"}
	nameWanted     = Rule{ID: "name-wanted"}
)

// wishes are the kinds of errors that these make.
var wishes = map[string]error{
	platformWanted.ID: content.ErrNotFound,
	nameWanted.ID:     content.ErrInvalid,
}

// wanted does what the user asks for: platforms, and a name for the one image.
func (s *selecting) wanted() {
	if len(s.o.Platforms) > 0 {
		for _, k := range s.kept {
			s.choose(k)
		}
	}
	switch {
	case s.o.Name == "":
	case len(s.kept) == 1:
		s.kept[0].name = s.o.Name
	default:
		for _, k := range s.kept {
			s.refused = append(s.refused, k.remark(&nameWanted, "a name is for one image, not for one of several"))
		}
	}
}

// choose keeps the images for the platforms that were asked for, and what attests
// them. An image that is no index must be for one of them.
func (s *selecting) choose(k *Kept) {
	chosen := map[content.Digest]bool{}
	for _, want := range s.o.Platforms {
		found := false
		for _, c := range k.Children {
			if c.Image && c.Platform != nil && c.Present() && content.MatchPlatform(want, *c.Platform) && !found {
				found, chosen[c.Digest] = true, true
			}
		}
		if !found && k.Facts.IsIndex() {
			s.lacks(k, want)
		}
	}
	if !k.Facts.IsIndex() {
		if len(chosen) == 0 {
			s.lacks(k, s.o.Platforms[0])
		}
		return
	}
	k.single = len(s.o.Platforms) == 1 && !s.c.sparse()
	s.keepChildren(k, &platformWanted, func(c Child) bool { return chosen[c.Digest] || chosen[c.Attests] && !k.single })
}

func (s *selecting) lacks(k *Kept, want content.Platform) {
	s.refused = append(s.refused, k.remark(&platformWanted,
		"there is no image for "+content.FormatPlatform(want)+", only for "+platformsOf(present(k.Children))))
}

// keepChildren keeps some children of an index, and notes the rule if that changes it.
// With none to keep it does nothing.
func (s *selecting) keepChildren(k *Kept, r *Rule, keep func(c Child) bool) {
	var kept []Child
	for _, c := range k.Children {
		if keep(c) {
			kept = append(kept, c)
		}
	}
	if len(kept) == len(k.Children) || len(kept) == 0 { // none would be refused
		return
	}
	k.Children, k.by = kept, r
	k.sparse = s.c.sparse()
}

func present(children []Child) []Child {
	var here []Child
	for _, c := range children {
		if c.Present() {
			here = append(here, c)
		}
	}
	return here
}

// platformsOf lists the platforms of the images among some manifests.
func platformsOf(children []Child) string {
	var list []string
	for _, c := range children {
		switch {
		case !c.Image:
		case c.Platform == nil:
			list = append(list, "an unknown platform")
		default:
			list = append(list, content.FormatPlatform(*c.Platform))
		}
	}
	if list == nil {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
