package export

import (
	"context"
	"errors"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

const (
	mediaTypeIndex    = ocispec.MediaTypeImageIndex
	mediaTypeManifest = ocispec.MediaTypeImageManifest
)

// A plan is what goes into an archive.
type plan struct {
	*gatherer
	roots   []Root
	indexes map[Source]*layout.Index // of roots that are all of a layout, while there is a plan to be made
	entries *entries
	batch   []pick // roots that are not read yet
	next    []step // to the children of those that are
	later   []pick // roots that the rest of the graph decides on
	last    bool   // the rest of the graph is there
	bytes   int64  // of the manifests of batch
}

// A pick is a root that becomes an entry, if its manifest is as it should be.
type pick struct {
	Root
	only condition
}

// newPlan reads the graph below the roots.
func newPlan(ctx context.Context, roots []Root, o Options) (*plan, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &plan{gatherer: newGatherer(o), roots: roots, indexes: map[Source]*layout.Index{}}
	p.entries = &entries{graph: p.graph}
	if err := p.open(ctx, roots); err != nil {
		return nil, err
	}
	p.batch, p.next, p.read, p.rooms, p.indexes = nil, nil, nil, nil, nil
	p.entries.sort()
	return p, nil
}

// open makes the plan inside of one reading of each index.json that is wanted whole.
func (p *plan) open(ctx context.Context, roots []Root) error {
	for i, r := range roots {
		if !r.isWhole() || p.indexes[r.Source] != nil {
			continue
		}
		return r.view(ctx, func(x *layout.Index) error {
			p.indexes[r.Source] = x
			return p.open(ctx, roots[i+1:])
		})
	}
	return p.make(ctx)
}

// make makes the plan.
func (p *plan) make(ctx context.Context) error {
	if err := p.conflicts(); err != nil {
		return err
	}
	if err := p.choose(ctx); err != nil {
		return err
	}
	if err := p.readRoots(ctx); err != nil {
		return err
	}
	if err := p.walkOn(ctx); err != nil {
		return err
	}
	if err := p.carry(ctx); err != nil {
		return err
	}
	p.last = true
	for _, r := range p.later {
		if err := p.pick(ctx, r); err != nil {
			return err
		}
	}
	if err := p.walkOn(ctx); err != nil {
		return err
	}
	return p.rename()
}

// walkOn reads all that was picked, and what is below.
func (p *plan) walkOn(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	next := p.next
	p.next = nil
	return p.walk(ctx, next, 1)
}

// each calls fn with the roots that are wanted.
func (p *plan) each(wanted func(layout.Summary) bool, fn func(Root) error) error {
	for _, r := range p.roots {
		if !r.isWhole() {
			if e := r.Entry; wanted(layout.Summary{Name: e.Name(), RefName: e.RefName(), Kind: e.Kind()}) {
				if err := fn(r); err != nil {
					return err
				}
			}
			continue
		}
		for e, err := range p.indexes[r.Source].EntriesIf(wanted) {
			if err != nil {
				return err
			}
			if err := fn(Root{Source: r.Source, Entry: e, Chosen: r.Chosen}); err != nil {
				return err
			}
		}
	}
	return nil
}

// conflicts refuses one name for two things from two layouts.
func (p *plan) conflicts() error {
	if !slices.ContainsFunc(p.roots, func(r Root) bool { return r.Source != p.roots[0].Source }) {
		return nil
	}
	type owner struct {
		src  Source
		dgst digestID
	}
	names := map[string]owner{}
	named := func(s layout.Summary) bool { return s.Name != "" }
	return p.each(named, func(r Root) error {
		name, id := r.Entry.Name(), p.id(r.Entry.Digest)
		if had, ok := names[name]; ok && had.dgst != id && had.src != r.Source {
			return content.Errorf(content.ErrConflict, "%s is %s in one layout and %s in another", name,
				content.Short(p.digest(had.dgst)), content.Short(r.Entry.Digest))
		}
		names[name] = owner{r.Source, id}
		return nil
	})
}

// readRoots picks roots, and reads them: first those that are what they are, which
// says what has an entry without a name, and then the lists of referrers.
func (p *plan) readRoots(ctx context.Context) error {
	fallback := func(s layout.Summary) bool { return s.Kind == layout.KindFallback }
	plain := func(s layout.Summary) bool { return !fallback(s) }
	err := p.each(plain, func(r Root) error {
		r, err := p.narrow(ctx, r)
		if err != nil {
			return err
		}
		switch {
		case p.o.NoReferrers && !r.Chosen && r.Entry.IsCosignTag():
			p.leftOut = append(p.leftOut, p.mention(r.Entry.Descriptor))
			return nil
		case p.o.NoReferrers && !r.Chosen:
			return p.pick(ctx, pick{r, unlessReferrer})
		}
		return p.pick(ctx, pick{r, always})
	})
	if err != nil {
		return err
	}
	return p.each(fallback, func(r Root) error {
		if p.o.NoReferrers && !r.Chosen {
			p.leftOut = append(p.leftOut, p.mention(r.Entry.Descriptor))
			return nil
		}
		if err := p.listed(ctx, r); err != nil {
			return err
		}
		if p.o.FallbackTags {
			return p.pick(ctx, pick{r, always})
		}
		return nil
	})
}

// listed picks the manifests in an index of referrers, but for those that have an
// entry without a name: it says the same. Their annotations are those of the
// manifests, and stay there.
func (p *plan) listed(ctx context.Context, r Root) error {
	limits := p.o.Limits
	limits.Manifest = limits.Index
	m, _, err := content.FetchManifest(ctx, r.Source, r.Entry.Descriptor, limits)
	if errors.Is(err, content.ErrNotFound) {
		return missing(r.Entry.Digest, "index of referrers")
	}
	if err != nil {
		return err
	}
	for _, d := range m.Manifests {
		if !content.HasEdges(d.MediaType) || p.is(p.find(d.Digest), isUnnamed) {
			continue
		}
		if err := content.CheckDigest(d.Digest); err != nil {
			return content.AtDigest(r.Entry.Digest, content.Errorf(content.ErrCorrupt, "child: %w", err))
		}
		e := layout.NewEntry(content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
		if err := p.pick(ctx, pick{Root{Source: r.Source, Entry: e}, ifReferrer}); err != nil {
			return err
		}
	}
	return nil
}

// pick adds a root to the batch, which is read when it is large enough.
func (p *plan) pick(ctx context.Context, r pick) error {
	if r.Entry.Name() == "" {
		p.item(p.id(r.Entry.Digest)).flags |= isUnnamed
	}
	p.batch = append(p.batch, r)
	p.bytes += max(r.Entry.Size, 0)
	if len(p.batch) < batchCount && p.bytes < batchBytes {
		return nil
	}
	return p.flush(ctx)
}

// flush reads the batch and makes its entries.
func (p *plan) flush(ctx context.Context) error {
	steps := make([]step, len(p.batch))
	for i, r := range p.batch {
		m := p.mention(r.Entry.Descriptor)
		steps[i] = step{
			id: m.id, mediaType: m.mediaType, platform: m.platform, size: m.size, src: p.source(r.Source), only: r.only,
			mayBeAbsent: r.only == ifReferrer, list: r.Entry.Kind() == layout.KindFallback,
		}
	}
	next, err := p.visit(ctx, steps)
	if err != nil {
		return err
	}
	p.next = append(p.next, next...)
	for i, r := range p.batch {
		if err := p.makeEntry(ctx, r, steps[i], p.read[i]); err != nil {
			return err
		}
	}
	p.batch, p.bytes = p.batch[:0], 0
	return nil
}

// makeEntry makes the entry of a root, if there is to be one.
func (p *plan) makeEntry(ctx context.Context, r pick, s step, l loaded) error {
	n := p.here(s.id)
	switch {
	case n == nil && r.only == always:
		return missing(r.Entry.Digest, "manifest")
	case n == nil && p.node(s.id) != nil && !p.last:
		p.later = append(p.later, r) // another layout may have it
		return nil
	case n == nil, n.subject != 0 && r.only == unlessReferrer, n.subject == 0 && r.only == ifReferrer:
		return nil
	}
	e, ok := p.shelve(r)
	if !ok && !p.last {
		p.later = append(p.later, r)
		return nil
	}
	f := p.facts(n)
	if l.taken {
		f.annotations = l.manifest.Annotations
	} else if n.subject != 0 && len(e.Annotations) > 0 && e.Name() == "" {
		s.src, s.only = n.src, always
		again, err := p.readManifest(ctx, s, &p.rooms[0])
		if err != nil {
			return err
		}
		f.annotations = again.manifest.Annotations
	}
	return p.entries.add(e, f, n.is(isImage), r.Chosen)
}

// facts are what a node says about its entries, without annotations.
func (p *plan) facts(n *node) facts {
	return facts{
		mediaType: p.mediaType(n), artifactType: p.words.text(n.artifactType),
		platform: p.platforms.platform(n.platform), subject: p.digest(n.subject),
	}
}

// rename gives the one image of the archive the name that was asked for.
func (p *plan) rename() error {
	if p.o.Name == "" {
		return nil
	}
	var image entry
	images, others := 0, p.entries.list[:0]
	for _, e := range p.entries.list {
		if e.image {
			image = e
			images++
		} else {
			others = append(others, e)
		}
	}
	if images != 1 {
		return content.Errorf(content.ErrInvalid, "a name is for one image, %d are to be exported", images)
	}
	p.entries.list = others
	e, err := layout.ParseEntry(p.entries.appendRaw(nil, image))
	if err != nil {
		return err
	}
	n := p.here(image.id)
	return p.entries.add(e.WithName(p.o.Name), p.facts(n), n.is(isImage), image.chosen)
}
