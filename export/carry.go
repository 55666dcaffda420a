package export

import (
	"context"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A keeper is a Source that knows what belongs to what, as a *layout.Reader does.
type keeper interface {
	FindReferrers(ctx context.Context, q layout.ReferrerQuery) ([]layout.Referrer, error)
	View(ctx context.Context, fn func(*layout.Index) error) error
}

// carry adds what belongs to the chosen roots and all that they reach: referrers,
// what refers to those, and cosign's tags. The other roots come from whole layouts,
// with all that is there.
func (p *plan) carry(ctx context.Context) error {
	if p.o.NoReferrers || p.o.Form != OCI {
		return nil
	}
	var sources []Source
	chosen := map[Source][]digestID{}
	for _, r := range p.roots {
		if !r.Chosen || r.isWhole() {
			continue
		}
		if chosen[r.Source] == nil {
			sources = append(sources, r.Source)
		}
		r, err := p.narrow(ctx, r)
		if err != nil {
			return err
		}
		chosen[r.Source] = append(chosen[r.Source], p.find(r.Entry.Digest))
	}
	for _, src := range sources {
		k, ok := src.(keeper)
		if !ok {
			continue
		}
		c := carrier{plan: p, src: src, keeper: k, asked: map[digestID]bool{}}
		if err := c.readTags(ctx); err != nil {
			return err
		}
		if err := c.all(ctx, chosen[src]); err != nil {
			return err
		}
	}
	return nil
}

// A carrier looks for what belongs to the chosen roots of one source.
type carrier struct {
	*plan
	src    Source
	keeper keeper
	tags   map[string][]layout.Entry // by the fallback tag of what they are about
	names  map[string]bool           // of the roots, if there are tags
	asked  map[digestID]bool         // subjects
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

// readNames notes what the roots are called.
func (c *carrier) readNames() error {
	c.names = map[string]bool{}
	return c.each(func(s layout.Summary) bool {
		if s.Name != "" {
			c.names[strings.Clone(s.Name)] = true
		}
		return false
	}, nil)
}

// all finds what belongs to the manifests from level on, and reads it into the plan.
func (c *carrier) all(ctx context.Context, level []digestID) error {
	if len(c.tags) > 0 {
		if err := c.readNames(); err != nil {
			return err
		}
	}
	for len(level) > 0 {
		found, err := c.belonging(ctx, c.below(level))
		if err != nil {
			return err
		}
		level = level[:0]
		for _, r := range found {
			if err := c.pick(ctx, r); err != nil {
				return err
			}
			level = append(level, c.find(r.Entry.Digest))
		}
		if err := c.walkOn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// below lists the manifests that are reached from level, are in the archive and were
// not listed before, by digest.
func (c *carrier) below(level []digestID) []digestID {
	var fresh []digestID
	var visit func(id digestID)
	visit = func(id digestID) {
		n := c.here(id)
		if n == nil || c.asked[id] {
			return
		}
		c.asked[id] = true
		fresh = append(fresh, id)
		for _, child := range c.childrenOf(n) {
			visit(child.id)
		}
	}
	for _, id := range level {
		visit(id)
	}
	return c.inDigestOrder(fresh)
}

// belonging picks what belongs to the subjects and has no entry yet.
func (c *carrier) belonging(ctx context.Context, subjects []digestID) ([]pick, error) {
	var picks []pick
	var found []layout.Referrer
	for _, id := range subjects {
		subject := c.digest(id)
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
			if it := c.item(c.id(ref.Digest)); it.flags&isUnnamed == 0 {
				it.flags |= isUnnamed
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

// shelve takes an entry of cosign's its name, which would make it an image, unless
// the name was asked for. It is not ok while it can't be told what the entry is about.
func (p *plan) shelve(r pick) (e layout.Entry, ok bool) {
	e = r.Entry
	if !e.IsCosignTag() || r.Chosen || p.o.Form != OCI || p.o.FallbackTags {
		return e, true
	}
	subject := p.tagged(e)
	if subject == "" {
		return e, false
	}
	if e.Raw == nil {
		e = layout.NewEntry(e.Descriptor)
	}
	return e.Shelved(subject), true
}

// tagged is what an entry of cosign's is about, by its name: the digest in it, or
// what is in the archive and has a tag like it, since tags have no room for long
// digests.
func (p *plan) tagged(e layout.Entry) content.Digest {
	if d := e.CosignSubject(); d != "" {
		return d
	}
	for id, d := range p.others {
		if p.here(id) != nil && layout.FallbackTag(d) == e.CosignBase() {
			return d
		}
	}
	return ""
}
