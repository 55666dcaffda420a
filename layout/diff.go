package layout

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// DiffOptions say what Diff compares. The zero value compares all of two layouts.
type DiffOptions struct {
	// From and To, if not nil, are compared in place of all that a and b hold: the
	// graphs of these images alone, without names and without what refers to them.
	From, To []content.Descriptor
}

// A Difference is what must be added to one layout, and taken from it, to make it
// the other. Its JSON is what `diff` prints; the fields are stable. Lists are
// sorted and never nil.
type Difference struct {
	Equal     bool               `json:"equal"`
	Names     NameDifference     `json:"names"`
	Blobs     BlobDifference     `json:"blobs"`
	Referrers ReferrerDifference `json:"referrers"`
}

// A NameDifference compares what names stand for.
type NameDifference struct {
	Added   []NamedDigest `json:"added"`
	Removed []NamedDigest `json:"removed"`
	Moved   []MovedName   `json:"moved"`
}

// A NamedDigest is a name and what it stands for.
type NamedDigest struct {
	Name   string         `json:"name"`
	Digest content.Digest `json:"digest"`
}

// A MovedName is a name that stands for other content.
type MovedName struct {
	Name string         `json:"name"`
	Old  content.Digest `json:"old"`
	New  content.Digest `json:"new"`
}

// A BlobDifference compares the content that is reached.
type BlobDifference struct {
	Added   []content.Digest `json:"added"`
	Removed []content.Digest `json:"removed"`
	Bytes   int64            `json:"bytes"` // of those added: what there is to move
}

// A ReferrerDifference compares who refers to what.
type ReferrerDifference struct {
	Added   []ReferrerEdge `json:"added"`
	Removed []ReferrerEdge `json:"removed"`
}

// A ReferrerEdge says that the manifest Digest has Subject as its subject.
type ReferrerEdge struct {
	Subject content.Digest `json:"subject"`
	Digest  content.Digest `json:"digest"`
}

// Diff compares what two layouts hold: names, content that entries reach, and which
// manifests refer to which. What nothing reaches, the order of entries, and the
// lists under fallback tags, which follow from the rest, do not count; neither does
// content that both may lack, such as an absent child of an index. Content that is
// missing is ErrMissing.
func Diff(ctx context.Context, a, b *Reader, o DiffOptions) (Difference, error) {
	from, err := a.holdings(ctx, o.From)
	if err != nil {
		return Difference{}, content.At(a.path, err)
	}
	to, err := b.holdings(ctx, o.To)
	if err != nil {
		return Difference{}, content.At(b.path, err)
	}
	d := Difference{
		Names:     diffNames(from.names, to.names),
		Blobs:     BlobDifference{Added: missingFrom(from.blobs, to.blobs), Removed: missingFrom(to.blobs, from.blobs)},
		Referrers: ReferrerDifference{Added: edgesMissingFrom(from.edges, to.edges), Removed: edgesMissingFrom(to.edges, from.edges)},
	}
	for _, added := range d.Blobs.Added {
		d.Blobs.Bytes += to.blobs[added]
	}
	d.Equal = len(d.Names.Added)+len(d.Names.Removed)+len(d.Names.Moved)+len(d.Blobs.Added)+len(d.Blobs.Removed)+
		len(d.Referrers.Added)+len(d.Referrers.Removed) == 0
	return d, nil
}

// holdings is what a layout holds, without the order and form in which it does.
type holdings struct {
	names map[string]content.Digest
	blobs map[content.Digest]int64
	edges map[ReferrerEdge]bool
}

// holdings lists what the roots reach, or everything if they are nil.
func (r *Reader) holdings(ctx context.Context, roots []content.Descriptor) (holdings, error) {
	h := holdings{names: map[string]content.Digest{}, blobs: map[content.Digest]int64{}, edges: map[ReferrerEdge]bool{}}
	options := content.WalkOptions{Limits: r.o.Limits}
	lists := map[content.Digest]bool{} // fallback indexes
	if roots == nil {
		options.Follow = func(content.Node, content.Edge) bool { return true }
		err := r.View(ctx, func(x *Index) (err error) {
			roots, err = h.entries(x, lists)
			return err
		})
		if err != nil {
			return h, err
		}
	}
	return h, content.Walk(ctx, r, roots, options, func(n content.Node) error {
		if n.Absent || lists[n.Digest] {
			return nil
		}
		if n.Manifest.Subject != nil && options.Follow != nil {
			h.edges[ReferrerEdge{n.Manifest.Subject.Digest, n.Digest}] = true
		}
		if n.Bytes != nil {
			h.blobs[n.Digest] = n.Size
			return nil
		}
		return r.holdBlob(ctx, h, n)
	})
}

// entries takes the names from an index.json and returns its roots.
func (h holdings) entries(x *Index, lists map[content.Digest]bool) ([]content.Descriptor, error) {
	var roots []content.Descriptor
	for e, err := range x.Entries() {
		if err != nil {
			return nil, err
		}
		roots = append(roots, content.Descriptor{MediaType: e.MediaType, Digest: e.Digest, Size: e.Size})
		if e.Kind() == KindFallback {
			lists[e.Digest] = true
			continue
		}
		name := e.Name()
		if full, _, isFull := NormalizeName(name); isFull {
			name = full
		}
		if _, twice := h.names[name]; name != "" && !twice {
			h.names[name] = e.Digest
		}
	}
	return roots, nil
}

// holdBlob enters content that was not read, if it is there.
func (r *Reader) holdBlob(ctx context.Context, h holdings, n content.Node) error {
	size, err := r.Size(ctx, n.Digest)
	switch {
	case err == nil:
		h.blobs[n.Digest] = size
	case !errors.Is(err, content.ErrNotFound):
		return err
	case !content.Edge{Role: n.Role, To: n.Descriptor}.MayBeAbsent():
		return content.AtDigest(n.Digest, content.Errorf(content.ErrMissing, "%s is missing", cmp.Or(string(n.Role), "blob")))
	}
	return nil
}

func diffNames(from, to map[string]content.Digest) NameDifference {
	d := NameDifference{Added: []NamedDigest{}, Removed: []NamedDigest{}, Moved: []MovedName{}}
	for _, name := range slices.Sorted(maps.Keys(to)) {
		switch old, ok := from[name]; {
		case !ok:
			d.Added = append(d.Added, NamedDigest{name, to[name]})
		case old != to[name]:
			d.Moved = append(d.Moved, MovedName{name, old, to[name]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if _, ok := to[name]; !ok {
			d.Removed = append(d.Removed, NamedDigest{name, from[name]})
		}
	}
	return d
}

// missingFrom lists what all has and have has not.
func missingFrom(have, all map[content.Digest]int64) []content.Digest {
	list := []content.Digest{}
	for d := range all {
		if _, ok := have[d]; !ok {
			list = append(list, d)
		}
	}
	slices.Sort(list)
	return list
}

func edgesMissingFrom(have, all map[ReferrerEdge]bool) []ReferrerEdge {
	list := []ReferrerEdge{}
	for e := range all {
		if !have[e] {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b ReferrerEdge) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Digest, b.Digest))
	})
	return list
}
