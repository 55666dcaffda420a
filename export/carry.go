package export

import (
	"context"
	"maps"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A keeper is a Source that knows what belongs to what, as a *layout.Reader does.
type keeper interface {
	FindReferrers(ctx context.Context, q layout.ReferrerQuery) ([]layout.Referrer, error)
	View(ctx context.Context, fn func(*layout.Index) error) error
}

// carry adds to the picks what belongs to the chosen ones and all that they reach:
// referrers, what refers to those, and cosign's tags. The other roots come from
// whole layouts, with all that is there.
func (p *plan) carry(ctx context.Context, picks []pick) ([]pick, error) {
	if p.o.NoReferrers || p.o.Form != OCI {
		return picks, nil
	}
	var sources []Source
	chosen := map[Source][]content.Digest{}
	unnamed, names := map[content.Digest]bool{}, map[string]bool{}
	for _, r := range picks {
		if name := r.Entry.Name(); name != "" {
			names[name] = true
		} else {
			unnamed[r.Entry.Digest] = true
		}
		if !r.Chosen {
			continue
		}
		if chosen[r.Source] == nil {
			sources = append(sources, r.Source)
		}
		chosen[r.Source] = append(chosen[r.Source], r.Entry.Digest)
	}
	for _, src := range sources {
		k, ok := src.(keeper)
		if !ok {
			continue
		}
		c := carrier{plan: p, src: src, keeper: k, unnamed: unnamed, names: names, asked: map[content.Digest]bool{}}
		if err := c.readTags(ctx); err != nil {
			return nil, err
		}
		more, err := c.all(ctx, chosen[src])
		if err != nil {
			return nil, err
		}
		picks = append(picks, more...)
	}
	return picks, nil
}

// A carrier looks for what belongs to the chosen roots of one source.
type carrier struct {
	*plan
	src     Source
	keeper  keeper
	tags    map[string][]layout.Entry // by the fallback tag of what they are about
	unnamed map[content.Digest]bool   // what has an entry without a name
	names   map[string]bool           // of the other entries
	asked   map[content.Digest]bool   // subjects
}

// readTags notes cosign's tags and, if they are wanted, the lists of referrers.
func (c *carrier) readTags(ctx context.Context) error {
	c.tags = map[string][]layout.Entry{}
	return c.keeper.View(ctx, func(x *layout.Index) error {
		wanted := func(s layout.Summary) bool {
			return s.IsCosignTag() || c.o.FallbackTags && s.Kind == layout.KindFallback
		}
		for e, err := range x.EntriesIf(wanted) {
			if err != nil {
				return err
			}
			tag := e.Name()
			if e.IsCosignTag() {
				tag = e.CosignBase()
			}
			c.tags[tag] = append(c.tags[tag], e)
		}
		return nil
	})
}

// all finds what belongs to the manifests from level on, and reads it into the plan.
func (c *carrier) all(ctx context.Context, level []content.Digest) ([]pick, error) {
	var picks []pick
	for len(level) > 0 {
		found, err := c.belonging(ctx, c.below(level))
		if err != nil {
			return nil, err
		}
		if err := c.walk(ctx, steps(found)); err != nil {
			return nil, err
		}
		level = level[:0]
		for _, r := range found {
			level = append(level, r.Entry.Digest)
		}
		picks = append(picks, found...)
	}
	return picks, nil
}

// below lists the manifests that are reached from level, are in the archive and were
// not listed before, by digest.
func (c *carrier) below(level []content.Digest) []content.Digest {
	fresh := map[content.Digest]bool{}
	var visit func(d content.Digest)
	visit = func(d content.Digest) {
		n := c.nodes[d]
		if n == nil || n.absent || c.asked[d] {
			return
		}
		c.asked[d], fresh[d] = true, true
		for _, child := range n.children {
			visit(child.Digest)
		}
	}
	for _, d := range level {
		visit(d)
	}
	return slices.Sorted(maps.Keys(fresh))
}

// belonging picks what belongs to the subjects and has no entry yet.
func (c *carrier) belonging(ctx context.Context, subjects []content.Digest) ([]pick, error) {
	var picks []pick
	var found []layout.Referrer
	for _, subject := range subjects {
		for _, e := range c.tags[layout.FallbackTag(subject)] {
			if !c.names[e.Name()] {
				c.names[e.Name()] = true
				picks = append(picks, pick{Root{Source: c.src, Entry: e}, always})
			}
		}
		list, err := c.keeper.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: subject}})
		if err != nil {
			return nil, err
		}
		for _, ref := range list {
			if !c.unnamed[ref.Digest] {
				c.unnamed[ref.Digest] = true
				found = append(found, ref)
			}
		}
	}
	if len(found) == 0 {
		return picks, nil
	}
	err := c.keeper.View(ctx, func(x *layout.Index) error {
		for _, ref := range found {
			r, err := c.referrer(x, ref)
			if err != nil {
				return err
			}
			picks = append(picks, r)
		}
		return nil
	})
	return picks, err
}

// referrer makes a root of a referrer: the entry without a name that the layout has,
// else one of no more than what it must say.
func (c *carrier) referrer(x *layout.Index, ref layout.Referrer) (pick, error) {
	entries, err := x.ByDigest(ref.Digest)
	if err != nil {
		return pick{}, err
	}
	e := layout.NewEntry(content.Descriptor{MediaType: ref.MediaType, Digest: ref.Digest, Size: ref.Size})
	if i := slices.IndexFunc(entries, func(e layout.Entry) bool { return e.Name() == "" }); i >= 0 {
		e = entries[i]
	}
	if ref.Origin.Bound() {
		return pick{Root{Source: c.src, Entry: e}, ifReferrer}, nil
	}
	if e.Annotations[content.AnnotationSubject] == "" {
		e = e.WithAnnotation(content.AnnotationSubject, ref.Subject.String())
	}
	return pick{Root{Source: c.src, Entry: e}, always}, nil
}

// steps are those to the picks.
func steps(picks []pick) []step {
	level := make([]step, len(picks))
	for i, r := range picks {
		level[i] = step{
			Descriptor: r.Entry.Descriptor, src: r.Source, mayBeAbsent: r.only == ifReferrer, only: r.only,
			list: r.Entry.Kind() == layout.KindFallback,
		}
	}
	return level
}

// subjects finds manifests of the plan by their fallback tags, if an entry of
// cosign's is among the picks.
func (p *plan) subjects(picks []pick) map[string]content.Digest {
	if !slices.ContainsFunc(picks, func(r pick) bool { return r.Entry.IsCosignTag() }) {
		return nil
	}
	byTag := map[string]content.Digest{}
	for d := range p.nodes {
		byTag[layout.FallbackTag(d)] = d
	}
	return byTag
}

// shelve takes an entry of cosign's its name, which would make it an image, unless
// the name was asked for.
func (p *plan) shelve(r pick, byTag map[string]content.Digest) layout.Entry {
	e := r.Entry
	if !e.IsCosignTag() || r.Chosen || p.o.Form != OCI || p.o.FallbackTags {
		return e
	}
	subject, ok := byTag[e.CosignBase()]
	if !ok {
		subject = e.CosignSubject()
	}
	if subject == "" {
		return e
	}
	if e.Raw == nil {
		e = layout.NewEntry(e.Descriptor)
	}
	return e.Shelved(subject)
}
