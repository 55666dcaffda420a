package export

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Load says what the consumer of an archive gets, and what it does not.
type Load struct {
	Consumer consumer.Consumer `json:"consumer"`
	// Names are what the consumer calls the images once it has loaded them, in order.
	Names []string `json:"names"`
	// LeftOut are the entries that it does not get, with the rule that says so.
	LeftOut []consumer.Remark `json:"leftOut,omitempty"`
	// Changed is what it gets otherwise than the layout has it, and what to mind.
	Changed []consumer.Remark `json:"changed,omitempty"`
}

// checkFor refuses options that do not go with a consumer, or need one.
func (o Options) checkFor() error {
	if o.For == "" {
		if o.Repository != "" {
			return content.Errorf(content.ErrInvalid, "a repository for tags is for an archive for a consumer")
		}
		return nil
	}
	if o.Form != OCI || o.FallbackTags {
		return content.Errorf(content.ErrInvalid, "an archive for %s is of the form oci, without fallback tags", o.For)
	}
	_, err := consumer.Parse(string(o.For))
	return err
}

// loadArchive is an archive for a consumer.
type loadArchive struct {
	archive
	load *Load
}

func (a loadArchive) result() Result {
	r := a.archive.result()
	r.Load = a.load
	return r
}

// prepareFor plans the archive of what a consumer accepts of the roots.
func prepareFor(ctx context.Context, roots []Root, o Options) (archive, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	roots, err := spread(ctx, roots)
	if err != nil {
		return nil, err
	}
	facts, err := look(ctx, roots, o.Limits)
	if err != nil {
		return nil, err
	}
	selection := consumer.Select(o.For, facts, consumer.Options{
		Platforms: o.Platforms, Name: o.Name, Repository: o.Repository, File: o.file})
	if err := selection.Err(); err != nil {
		return nil, err
	}
	kept := make([]Root, len(selection.Kept))
	for i, k := range selection.Kept {
		kept[i] = Root{Source: given(roots[k.Place].Source, k), Entry: k.Entry, Chosen: true}
	}
	o.NoReferrers, o.Name, o.Platforms = true, "", nil
	a, err := plainly(ctx, kept, o)
	return loadArchive{a, &Load{o.For, selection.Names(), selection.LeftOut, selection.Changed}}, err
}

// look reads the facts of roots from the layouts that they are in.
func look(ctx context.Context, roots []Root, limits content.Limits) ([]consumer.Facts, error) {
	var facts []consumer.Facts
	for len(roots) > 0 {
		n := 1
		for n < len(roots) && roots[n].Source == roots[0].Source {
			n++
		}
		entries := make([]layout.Entry, n)
		for i, r := range roots[:n] {
			entries[i] = r.Entry
		}
		chosen := func(i int) bool { return roots[i].Chosen }
		more, err := consumer.Look(ctx, roots[0].Source, entries, chosen, limits)
		if err != nil {
			return nil, err
		}
		facts, roots = append(facts, more...), roots[n:]
	}
	return facts, nil
}

// given is the Source of an entry that was kept: with its new index, and without the
// children that stay behind.
func given(src Source, k consumer.Kept) Source {
	if k.Whole() {
		return src
	}
	g := &partial{Source: src, hidden: map[content.Digest]bool{}}
	if k.Content != nil {
		g.dgst, g.data = k.Entry.Digest, k.Content
	}
	for _, c := range k.Facts.Children {
		if !slices.ContainsFunc(k.Children, func(kept consumer.Child) bool { return kept.Digest == c.Digest }) {
			g.hidden[c.Digest] = true
		}
	}
	return g
}

// partial is a Source with one more blob, and without some.
type partial struct {
	Source
	dgst   content.Digest
	data   []byte
	hidden map[content.Digest]bool
}

// Fetch reads the blob, or one of the source.
func (p *partial) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if d.Digest == p.dgst {
		return content.Verify(io.NopCloser(bytes.NewReader(p.data)), d), nil
	}
	if err := p.check(d.Digest); err != nil {
		return nil, err
	}
	return p.Source.Fetch(ctx, d)
}

// Size is that of the blob, or of one of the source.
func (p *partial) Size(ctx context.Context, d content.Digest) (int64, error) {
	if d == p.dgst {
		return int64(len(p.data)), nil
	}
	if err := p.check(d); err != nil {
		return 0, err
	}
	return p.Source.Size(ctx, d)
}

// ReaderAt opens the blob, or one of the source.
func (p *partial) ReaderAt(ctx context.Context, d content.Digest) (layout.BlobAt, error) {
	if d == p.dgst {
		return inMemory{bytes.NewReader(p.data)}, nil
	}
	if err := p.check(d); err != nil {
		return nil, err
	}
	return p.Source.ReaderAt(ctx, d)
}

var errHidden = errors.New("is not for the consumer")

func (p *partial) check(d content.Digest) error {
	if p.hidden[d] {
		return content.AtDigest(d, content.Errorf(content.ErrNotFound, "%w", errHidden))
	}
	return nil
}

type inMemory struct{ *bytes.Reader }

// Close has nothing to release.
func (inMemory) Close() error { return nil }
