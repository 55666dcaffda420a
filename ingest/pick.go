package ingest

import (
	"context"
	"path"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// checkPatterns refuses patterns that path.Match does not take.
func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return content.Errorf(content.ErrInvalid, "%q is not a pattern for names", p)
		}
	}
	return nil
}

// A picker says which images were asked for, in all archives together.
type picker struct {
	patterns []string
	fits     []bool   // those that fit something
	known    []string // some names of the archives, for messages
}

func newPicker(patterns []string) *picker {
	return &picker{patterns: patterns, fits: make([]bool, len(patterns))}
}

// pick says of each name of an archive whether it was asked for.
func (p *picker) pick(names []string) []bool {
	picked := make([]bool, len(names))
	for i, name := range names {
		if len(p.patterns) == 0 {
			picked[i] = true
			continue
		}
		if name == "" {
			continue
		}
		if len(p.known) <= mostNames && !(layout.Summary{Name: name}).IsCosignTag() {
			p.known = append(p.known, name)
		}
		for j, pattern := range p.patterns {
			if nameFits(pattern, name) {
				picked[i], p.fits[j] = true, true
			}
		}
	}
	return picked
}

// check holds that every pattern fits something.
func (p *picker) check() error {
	for j, pattern := range p.patterns {
		if !p.fits[j] {
			return content.Errorf(content.ErrNotFound, "no image is called %s: there is %s", pattern, listNames(p.known))
		}
	}
	return nil
}

// nameFits says whether a pattern fits a name in one of the ways people write it.
func nameFits(pattern, name string) bool {
	full, tag, isFull := layout.NormalizeName(name)
	spellings := []string{name, tag}
	if isFull {
		spellings = append(spellings, full, layout.FamiliarName(full))
		if long, _, ok := layout.NormalizeName(pattern + ":latest"); ok && long == full {
			return true
		}
	}
	for _, s := range spellings {
		if ok, err := path.Match(pattern, s); err == nil && ok {
			return true
		}
	}
	return false
}

// mostNames is how many names a message lists.
const mostNames = 20

// listNames lists names for a message.
func listNames(names []string) string {
	var named []string
	for _, name := range names {
		if name != "" {
			named = append(named, name)
		}
	}
	switch {
	case len(named) == 0:
		return "no name in the archive"
	case len(named) > mostNames:
		return strings.Join(named[:mostNames], ", ") + " and more"
	}
	return strings.Join(named, ", ")
}

// reachPicked wants what the picked entries reach, then picks what refers to it
// and wants that, until nothing new refers to anything.
func (im *importer) reachPicked(ctx context.Context, list *entries, picked []bool) error {
	seen := map[content.Digest]bool{}
	subjects := map[int]content.Digest{}
	for i, e := range list.all() {
		if picked[i] {
			if err := im.reach(ctx, e, seen); err != nil {
				return err
			}
		} else if d := im.subjectOf(ctx, e); d != "" {
			subjects[i] = d
		}
	}
	for more := true; more; {
		more = false
		for i := range picked {
			if _, wanted := im.want[subjects[i]]; picked[i] || !wanted {
				continue
			}
			picked[i], more = true, true
			if err := im.reach(ctx, list.at(i), seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// subjectOf tells what an entry refers to: as its own annotation, a fallback or
// cosign tag, or the manifest of an artifact says; "" is nothing.
func (im *importer) subjectOf(ctx context.Context, e layout.Entry) content.Digest {
	if d := content.Digest(e.Annotations[content.AnnotationSubject]); content.CheckDigest(d) == nil {
		return d
	}
	if e.Kind() == layout.KindFallback || e.IsCosignTag() {
		tag := e.Name()[strings.LastIndexAny(e.Name(), ":/")+1:]
		tag, _, _ = strings.Cut(tag, ".")
		return content.Digest(strings.Replace(tag, "-", ":", 1))
	}
	if e.Kind() == layout.KindNamedImage || !content.HasEdges(e.MediaType) {
		return ""
	}
	m, _, err := content.FetchManifest(ctx, im, e.Descriptor, im.o.Limits)
	if err != nil || m.Subject == nil {
		return "" // an entry that nobody picked may be broken
	}
	return m.Subject.Digest
}

// standsAlone is the name of an entry that belongs to no other, its digest if it
// has none; else "".
func (im *importer) standsAlone(ctx context.Context, e layout.Entry) string {
	switch {
	case e.Kind() == layout.KindFallback || e.IsCosignTag():
		return ""
	case e.Name() != "":
		return e.Name()
	case im.subjectOf(ctx, e) != "":
		return ""
	}
	return e.Digest.String()
}

// checkForeignName refuses a name that an archive gives and nothing could have.
func checkForeignName(name string) error {
	if name == "" {
		return nil
	}
	if err := layout.CheckName(name); err != nil {
		return content.Errorf(content.ErrRefused, "%w", hide(err))
	}
	return nil
}
