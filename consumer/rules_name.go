package consumer

import (
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Rules about names.

func needName(s *selecting, r *Rule) {
	s.dropIf(r, func(k *Kept) string {
		if k.name != "" {
			return ""
		}
		return "it has no name"
	})
}

// needRepository gives tags that stand alone a repository, if the user gave one.
func needRepository(s *selecting, r *Rule) {
	s.refuseIf(r, func(k *Kept) string {
		if k.name == "" || byDigest(k.name) && (s.c.is(Ctr) || s.c.is(Kind)) {
			return ""
		}
		if _, _, full := layout.NormalizeName(k.name); full {
			return ""
		}
		if byDigest(k.name) {
			return "a name with a digest has no tag"
		}
		if strings.ContainsAny(k.name, "/:") {
			return "docker's grammar of names does not have it"
		}
		if s.o.Repository == "" {
			return "a tag alone names no repository; give it a full name, or all of them a repository"
		}
		full, _, ok := layout.NormalizeName(s.o.Repository + ":" + k.name)
		if !ok {
			return "with the repository " + s.o.Repository + " it is no name that docker's grammar has"
		}
		k.name = full
		s.say(r, k, "is called "+full)
		return ""
	})
}

func byDigest(name string) bool { return strings.Contains(name, "@") }

// needLongName writes names in docker's long form, into both annotations.
func needLongName(s *selecting, r *Rule) {
	for _, k := range s.kept {
		full, _, ok := layout.NormalizeName(k.name)
		if !ok || byDigest(k.name) {
			continue
		}
		if full != k.name {
			s.say(r, k, "is called "+full)
			k.name = full
		}
		annotations := k.Facts.Entry.Annotations
		k.rename = annotations[content.AnnotationImageName] != full || annotations[content.AnnotationRefName] == ""
	}
}

// needOneOfAName leaves out what has a name for the second time, and refuses a name of
// two things.
func needOneOfAName(s *selecting, r *Rule) {
	first := map[string]*Kept{}
	var kept []*Kept
	for _, k := range s.kept {
		name, _, _ := layout.NormalizeName(k.name)
		had := first[name]
		switch {
		case k.name == "" || had == nil:
			first[name] = k
		case had.Facts.Entry.Digest == k.Facts.Entry.Digest:
			s.leftOut = append(s.leftOut, k.remark(r, "the same image has the name "+k.name+" already"))
			continue
		default:
			s.refused = append(s.refused, k.remark(r, "the name "+k.name+" is that of "+string(had.Facts.Entry.Digest)+" too"))
		}
		kept = append(kept, k)
	}
	s.kept = kept
}
