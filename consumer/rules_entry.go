package consumer

import (
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// Rules about which entries there are.

func dropFallbackTags(s *selecting, r *Rule) {
	s.dropIf(r, func(k *Kept) string {
		if k.Facts.Class != ClassFallback {
			return ""
		}
		return "a list of referrers, which passes for an image"
	})
}

func dropCosignTags(s *selecting, r *Rule) {
	s.dropIf(r, func(k *Kept) string {
		if k.Facts.Class != ClassCosignTag {
			return ""
		}
		return "stored by cosign in the form of an image"
	})
}

func dropArtifacts(s *selecting, r *Rule) {
	s.dropIf(r, func(k *Kept) string {
		switch {
		case k.Facts.Class != ClassArtifact:
			return ""
		case k.Facts.Entry.ArtifactType != "":
			return "no image: " + k.Facts.Entry.ArtifactType
		}
		return "no image"
	})
}

// needImage refuses what has no image that could be loaded. Of a sparse index, only the
// children that are there come along.
func needImage(s *selecting, r *Rule) {
	s.refuseIf(r, func(k *Kept) string {
		for _, c := range k.Children {
			if c.Image && c.Present() {
				return ""
			}
		}
		if !k.Facts.IsIndex() && len(k.Children) == 1 {
			return "content of the image is not in the layout: " + string(k.Children[0].Absent[0])
		}
		return "no image of the index is in the layout"
	})
	if s.c.sparse() {
		narrowToPresent(s, r)
	}
}

// narrowToPresent narrows sparse indexes to what is there.
func narrowToPresent(s *selecting, r *Rule) {
	for _, k := range s.kept {
		if k.Facts.IsIndex() {
			s.keepChildren(k, r, Child.Present)
		}
	}
}

func needOneEntry(s *selecting, r *Rule) {
	if len(s.kept) < 2 {
		return
	}
	s.refuseIf(r, func(*Kept) string { return "one image can be in it: name the one" })
}

func needSomething(s *selecting, r *Rule) {
	if len(s.kept) == 0 && len(s.refused) == 0 {
		s.refused = append(s.refused, Remark{Rule: r.ID, Reason: "there is no image for it"})
	}
}

// narrowToManifest makes one manifest of an index.
func narrowToManifest(s *selecting, r *Rule) {
	for _, k := range s.kept {
		if at := pick(k); k.Facts.IsIndex() && at >= 0 {
			only := k.Children[at].Digest
			k.single = true
			first := true
			s.keepChildren(k, r, func(c Child) bool {
				keep := c.Digest == only && first
				first = first && !keep
				return keep
			})
			k.by = r
		}
	}
}

func dropAttestations(s *selecting, r *Rule) {
	for _, k := range s.kept {
		if k.Facts.IsIndex() {
			s.keepChildren(k, r, func(c Child) bool { return c.Image })
		}
	}
}

// pick finds the image of an entry that a consumer gets which takes one alone: of those
// kept the one for linux/amd64, else the first, as docker's manifest.json has it. It is
// -1 if there is none.
func pick(k *Kept) int {
	fits := func(c Child) bool { return c.Image && c.Present() && c.Platform != nil }
	preferred := content.Platform{OS: "linux", Architecture: "amd64"}
	at := slices.IndexFunc(k.Children, func(c Child) bool { return fits(c) && content.MatchPlatform(preferred, *c.Platform) })
	if at < 0 {
		at = slices.IndexFunc(k.Children, fits)
	}
	return at
}
