package verify

import (
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// names reports names that mean two things: to us, which is an error, and to tools
// that look at ref.name alone, which is a note.
func (c *checker) names(entries []entry) {
	byName, byRef := map[string]entry{}, map[string]entry{}
	for _, e := range entries {
		name, ref := e.name, e.ref
		if full, _, isFull := layout.NormalizeName(name); isFull {
			name = full
		}
		if name == "" {
			continue
		}
		where := at{indexFile.path, e.digest}
		first, twice := byName[name]
		switch {
		case !twice:
			byName[name] = e
		case first.digest != e.digest:
			c.errorf(NameAmbiguous, where, "entries %d and %d are both called %q", first.n, e.n, truncate(name))
			continue
		}
		if ref == "" {
			continue
		}
		if first, twice := byRef[ref]; !twice {
			byRef[ref] = e
		} else if first.digest != e.digest {
			c.notef(NameAmbiguous, where, "entries %d and %d have the same %s, %q", first.n, e.n, content.AnnotationRefName, truncate(ref))
		}
	}
}

// isFallbackTag says whether a name is the tag of a list of referrers
// (distribution-spec, "Referrers Tag Schema"): its algorithm, and its encoded part cut
// to 64 characters.
func isFallbackTag(name string) bool {
	return len(name) == len("sha256-")+64 && (name[:7] == "sha256-" || name[:7] == "sha512-") && content.IsHex(name[7:])
}

// referrers holds the forms in which a layout lists referrers to the subjects that
// the manifests themselves name.
func (c *checker) referrers(entries []entry) {
	subjects := map[content.Digest][]content.Digest{} // what refers to what, by tagged
	for d, v := range c.manifests {
		if v.subject != "" {
			of := tagged(v.subject)
			subjects[of] = append(subjects[of], d)
		}
	}
	present := map[content.Digest]bool{} // what is here under a longer digest than a tag has
	for d, t := range c.targets {
		if of := tagged(d); of != d && t.size >= 0 {
			present[of] = true
		}
	}
	for _, e := range entries {
		v := c.manifests[e.digest]
		where := at{indexFile.path, e.digest}
		if claimed := e.subject; claimed != "" && v != nil && v.read && string(v.subject) != claimed {
			c.warnf(Unbound, where, "entry %d claims the subject %s, its manifest has %s", e.n, truncate(claimed), orNone(v.subject))
		}
		tag := e.name
		if !isFallbackTag(tag) {
			continue
		}
		of := content.Digest(strings.Replace(tag, "-", ":", 1))
		if t := c.targets[of]; !present[of] && (t == nil || t.size < 0) {
			c.notef(ReferrerDangling, where, "entry %d lists referrers of %s, which is not here", e.n, tag)
		}
		switch {
		case v == nil || v.read && !v.index:
			c.warnf(FallbackTag, where, "entry %d is called %s and is no index", e.n, tag)
		case v.read:
			c.fallback(where, tag, v, subjects[of])
		}
	}
}

func orNone(d content.Digest) string {
	if d == "" {
		return "none"
	}
	return d.String()
}

// tagOf is the tag under which the referrers of d are listed.
func tagOf(d content.Digest) string {
	alg, enc, _ := strings.Cut(d.String(), ":")
	return alg[:min(len(alg), 32)] + "-" + enc[:min(len(enc), 64)]
}

// tagged is a digest as far as a fallback tag has it.
func tagged(d content.Digest) content.Digest {
	if alg := len(d.Algorithm()); len(d) > alg+1+64 {
		return d[:alg+1+64]
	}
	return d
}

// fallback holds the list under a fallback tag to the referrers that there are.
func (c *checker) fallback(where at, tag string, list *verdict, referrers []content.Digest) {
	there := map[content.Digest]bool{}
	for _, d := range list.listed {
		there[d.digest] = true
		v := c.manifests[d.digest]
		if v == nil || !v.read {
			continue
		}
		where.digest = d.digest
		if tagOf(v.subject) != tag {
			c.warnf(FallbackTag, where, "%s lists it, its subject is %s", tag, orNone(v.subject))
		} else if d.artifactType != v.artifactType {
			c.warnf(FallbackTag, where, "%s lists it as %q, it is %q", tag, truncate(d.artifactType), truncate(v.artifactType))
		}
	}
	for _, d := range referrers {
		if !there[d] {
			where.digest = d
			c.warnf(FallbackTag, where, "%s does not list it", tag)
		}
	}
}
