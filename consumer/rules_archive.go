package consumer

import (
	"maps"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// Rules about platforms, and about what one archive holds.

// needCommonPlatform refuses images of which no machine could load all. kind takes one
// that is no index whatever it is for.
func needCommonPlatform(s *selecting, r *Rule) {
	var common map[string]bool
	all := map[string]bool{}
	for _, k := range s.kept {
		if s.c.is(Kind) && (!k.Facts.IsIndex() || k.single) {
			continue
		}
		mine := map[string]bool{}
		for _, c := range k.Children {
			if c.Image && c.Present() && c.Platform != nil {
				mine[machine(*c.Platform)], all[machine(*c.Platform)] = true, true
			}
		}
		switch {
		case common == nil:
			common = mine
		case len(mine) > 0 && !intersects(common, mine):
			s.refused = append(s.refused, k.remark(r, "it is for "+sorted(mine)+", the other images for "+sorted(common)+": no machine loads all"))
		default:
			maps.DeleteFunc(common, func(p string, _ bool) bool { return !mine[p] })
		}
	}
	if len(s.refused) == 0 && len(common) > 0 && len(common) < len(all) {
		s.changed = append(s.changed, Remark{Rule: r.ID, Reason: "all images are there for " + sorted(common) + " only: elsewhere the import fails"})
	}
}

// machine is a platform without what a machine does not choose by.
func machine(p content.Platform) string {
	return content.FormatPlatform(content.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant})
}

func intersects(a, b map[string]bool) bool {
	for p := range a {
		if b[p] {
			return true
		}
	}
	return false
}

func sorted(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}

// needDockerManifest refuses what docker's manifest.json can't hold, and says which
// image of an index it holds.
func needDockerManifest(s *selecting, r *Rule) {
	s.refuseIf(r, func(k *Kept) string {
		at := pick(k)
		if at < 0 {
			return "nothing says what platform its images are for"
		}
		c := k.Children[at]
		for _, mediaType := range c.Layers {
			if !content.IsLayer(mediaType) {
				return "a layer of the type " + mediaType + " can't be read"
			}
		}
		if len(c.Foreign) > 0 {
			return "a foreign layer is not in the layout: " + string(c.Foreign[0])
		}
		if images := imagesOf(k.Children); len(images) > 1 && !(s.c == Podman && len(s.kept) == 1) {
			s.say(r, k, r.loader(s.c)+" loads its image for "+content.FormatPlatform(*c.Platform)+" alone")
		}
		return ""
	})
}

// loader is who reads docker's manifest.json.
func (r *Rule) loader(c Consumer) string {
	if c == Docker {
		return "the classic store of docker"
	}
	return string(c)
}

func imagesOf(children []Child) []Child {
	return slices.DeleteFunc(slices.Clone(children), func(c Child) bool { return !c.Image })
}

func needOneSystem(s *selecting, r *Rule) {
	system := ""
	s.refuseIf(r, func(k *Kept) string {
		at := pick(k)
		if at < 0 {
			return ""
		}
		os := k.Children[at].Platform.OS
		if system == "" {
			system = os
		}
		if os == system {
			return ""
		}
		return "it is for " + os + ", others are for " + system + ", and one daemon loads one of the two"
	})
}

func needNoZstd(s *selecting, r *Rule) {
	s.refuseIf(r, func(k *Kept) string {
		at := pick(k)
		if at < 0 {
			return ""
		}
		for _, mediaType := range k.Children[at].Layers {
			if content.LayerCompression(mediaType) == "zstd" {
				return "its layers are compressed with zstd, which docker reads from version 23 on; docker-containerd takes them"
			}
		}
		return ""
	})
}

// k3sSuffixes are the ends of file names that we can give rightly: what we write is not
// compressed.
const k3sSuffix = ".tar"

func needSuffix(s *selecting, r *Rule) {
	if s.o.File != "" && !strings.HasSuffix(strings.ToLower(s.o.File), k3sSuffix) {
		s.changed = append(s.changed, Remark{Rule: r.ID, Reason: "the file must be called so that it ends in " + k3sSuffix + " when it lies in the directory of images"})
	}
}
