package export

import (
	"cmp"
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
	entries []entry
}

// An entry is a root of the archive with the bytes that it will have there, and
// what is asked of it often: there may be a hundred thousand.
type entry struct {
	raw       []byte
	name      string
	dgst      content.Digest
	mediaType string
	class     layout.Kind
	image     bool // one that can run, or an index of such
	chosen    bool
	subject   content.Digest // what it belongs to; "" for none
	node      *node
}

// newEntry makes the canonical entry of a root.
func newEntry(e layout.Entry, n *node, chosen bool) (entry, error) {
	e, err := canonical(e, n)
	return entry{
		raw: e.Raw, name: e.Name(), dgst: e.Digest, mediaType: e.MediaType, class: class(e), subject: subjectOf(e, n),
		image: e.IsImage() && (n.image || content.IsIndex(e.MediaType)), chosen: chosen, node: n,
	}, content.AtDigest(e.Digest, err)
}

// subjectOf is what an entry belongs to.
func subjectOf(e layout.Entry, n *node) content.Digest {
	if d := content.Digest(e.Annotations[content.AnnotationSubject]); d != "" {
		return d
	}
	return cmp.Or(n.subject, e.CosignSubject())
}

// newPlan reads the graph below the roots.
func newPlan(ctx context.Context, roots []Root, o Options) (*plan, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := conflicts(roots); err != nil {
		return nil, err
	}
	p := &plan{gatherer: newGatherer(o)}
	roots, err := p.narrow(ctx, roots)
	if err != nil {
		return nil, err
	}
	kept, err := p.expand(ctx, roots)
	if err != nil {
		return nil, err
	}
	if err := p.walk(ctx, steps(kept)); err != nil {
		return nil, err
	}
	if kept, err = p.carry(ctx, kept); err != nil {
		return nil, err
	}
	return p, p.makeEntries(ctx, kept)
}

// conflicts refuses one name for two things from two layouts.
func conflicts(roots []Root) error {
	type owner struct {
		src  Source
		dgst content.Digest
	}
	names := map[string]owner{}
	for _, r := range roots {
		name := r.Entry.Name()
		had, ok := names[name]
		if name != "" && ok && had.dgst != r.Entry.Digest && had.src != r.Source {
			return content.Errorf(content.ErrConflict, "%s is %s in one layout and %s in another", name,
				content.Short(had.dgst), content.Short(r.Entry.Digest))
		}
		names[name] = owner{r.Source, r.Entry.Digest}
	}
	return nil
}

// narrow applies Platforms to the images among the roots.
func (p *plan) narrow(ctx context.Context, roots []Root) ([]Root, error) {
	if len(p.o.Platforms) == 0 {
		return roots, nil
	}
	narrowed := make([]Root, len(roots))
	for i, r := range roots {
		narrowed[i] = r
		if !r.Entry.IsImage() || r.Entry.MediaType != "" && !content.HasEdges(r.Entry.MediaType) {
			continue
		}
		if len(p.o.Platforms) > 1 {
			if err := p.choose(ctx, r); err != nil {
				return nil, err
			}
			continue
		}
		d, err := selectPlatform(ctx, r, p.o.Platforms[0], p.o.Limits)
		if err != nil {
			return nil, err
		}
		if d.Digest != r.Entry.Digest {
			narrowed[i].Entry = r.Entry.WithContent(content.Descriptor{
				MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, Platform: d.Platform})
		}
	}
	return narrowed, nil
}

func selectPlatform(ctx context.Context, r Root, want content.Platform, limits content.Limits) (content.Descriptor, error) {
	d, err := content.SelectPlatform(ctx, r.Source, r.Entry.Descriptor, want, limits)
	return d, content.At(r.Entry.Name(), err)
}

// choose marks the manifests of all Platforms in an index; of an image that is
// no index, it must be one of them.
func (p *plan) choose(ctx context.Context, r Root) error {
	if p.chosen == nil {
		p.chosen = map[content.Digest]bool{}
	}
	var first error
	found := 0
	for _, want := range p.o.Platforms {
		d, err := selectPlatform(ctx, r, want, p.o.Limits)
		switch {
		case err == nil:
			p.chosen[d.Digest] = true
			found++
		case !errors.Is(err, content.ErrNotFound):
			return err
		case first == nil:
			first = err
		}
	}
	if found == 0 || content.IsIndex(r.Entry.MediaType) {
		return first
	}
	return nil
}

// A pick is a root that becomes an entry, if its manifest is as it should be.
type pick struct {
	Root
	only condition
}

// expand decides which roots become entries, and puts the referrers that a
// fallback tag lists in its place.
func (p *plan) expand(ctx context.Context, roots []Root) ([]pick, error) {
	picks := make([]pick, 0, len(roots))
	seen := map[content.Digest]bool{} // what has an entry without a name, which says the same
	for _, r := range roots {
		if r.Entry.Name() == "" {
			seen[r.Entry.Digest] = true
		}
	}
	for _, r := range roots {
		fallback := r.Entry.Kind() == layout.KindFallback
		switch {
		case p.o.NoReferrers && !r.Chosen && (fallback || r.Entry.IsCosignTag()):
			p.leftOut = append(p.leftOut, r.Entry.Descriptor)
		case fallback:
			listed, err := p.listed(ctx, r, seen)
			if err != nil {
				return nil, err
			}
			picks = append(picks, listed...)
			if p.o.FallbackTags {
				picks = append(picks, pick{r, always})
			}
		case p.o.NoReferrers && !r.Chosen:
			picks = append(picks, pick{r, unlessReferrer})
		default:
			picks = append(picks, pick{r, always})
		}
	}
	return picks, nil
}

// listed makes roots of the manifests in an index of referrers, but for those seen.
// Their annotations are those of the manifests, and stay there.
func (p *plan) listed(ctx context.Context, r Root, seen map[content.Digest]bool) ([]pick, error) {
	limits := p.o.Limits
	limits.Manifest = limits.Index
	m, _, err := content.FetchManifest(ctx, r.Source, r.Entry.Descriptor, limits)
	if errors.Is(err, content.ErrNotFound) {
		return nil, missing(r.Entry.Descriptor, "index of referrers")
	}
	if err != nil {
		return nil, err
	}
	var picks []pick
	for _, d := range m.Manifests {
		if !content.HasEdges(d.MediaType) || seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		if err := content.CheckDigest(d.Digest); err != nil {
			return nil, content.AtDigest(r.Entry.Digest, content.Errorf(content.ErrCorrupt, "child: %w", err))
		}
		e := layout.NewEntry(content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
		picks = append(picks, pick{Root{Source: r.Source, Entry: e}, ifReferrer})
	}
	return picks, nil
}

// makeEntries makes the canonical entries, each once, in their order.
func (p *plan) makeEntries(ctx context.Context, picks []pick) error {
	entries := make([]entry, len(picks))
	byTag := p.subjects(picks)
	err := parallel(ctx, len(picks), func(_ context.Context, i int) (err error) {
		entries[i], err = p.makeEntry(picks[i], byTag)
		return err
	})
	if err != nil {
		return err
	}
	p.entries = slices.DeleteFunc(entries, func(e entry) bool { return e.node == nil })
	if err := p.rename(); err != nil {
		return err
	}
	p.entries = inOrder(p.entries)
	return nil
}

// makeEntry makes the entry of a root; it has no node if there is to be none.
func (p *plan) makeEntry(r pick, byTag map[string]content.Digest) (entry, error) {
	n := p.nodes[r.Entry.Digest]
	switch {
	case (n == nil || n.absent) && r.only == always:
		return entry{}, missing(r.Entry.Descriptor, "manifest")
	case n == nil || n.absent || n.subject != "" && r.only == unlessReferrer:
		return entry{}, nil
	}
	return newEntry(p.shelve(r, byTag), n, r.Chosen)
}

// rename gives the one image of the archive the name that was asked for.
func (p *plan) rename() error {
	if p.o.Name == "" {
		return nil
	}
	image, found := 0, 0
	for i, e := range p.entries {
		if e.image {
			image = i
			found++
		}
	}
	if found != 1 {
		return content.Errorf(content.ErrInvalid, "a name is for one image, %d are to be exported", found)
	}
	was := p.entries[image]
	e, err := layout.ParseEntry(was.raw)
	if err != nil {
		return err
	}
	p.entries[image], err = newEntry(e.WithName(p.o.Name), was.node, was.chosen)
	return err
}
