package consumer

import (
	"context"
	"errors"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// CopyOptions say what is copied for whom. The zero value of each field but For takes
// everything that the consumer accepts.
type CopyOptions struct {
	For        Consumer
	Platforms  []content.Platform // as in Options
	Name       string             // as in Options
	Repository string             // as in Options
	// Link makes hard links to the source's blobs where that can be, as in
	// layout.CopyOptions.
	Link bool
	// Policy says what becomes of names that other content has in the destination.
	Policy layout.Policy
}

// Copy copies what a consumer accepts of the sources into a layout, under names that it
// reads, and no referrers. What is in the layout already must be accepted too: the
// consumer gets all of it. If the consumer would not load the result nothing is
// written, and the error is ErrRefused, or ErrNotFound for a platform that no image is
// for. If it fails, the names in dst are as before.
func Copy(ctx context.Context, dst *layout.Layout, sources []layout.Source, o CopyOptions) (_ Selection, report layout.TransferReport, err error) {
	c := copying{dst: dst, o: o}
	report.Changes = []layout.Change{}
	for _, src := range sources {
		if err := c.look(ctx, src); err != nil {
			return Selection{}, report, content.At(src.Path(), err)
		}
	}
	selection := Select(o.For, c.facts, Options{Platforms: o.Platforms, Name: o.Name, Repository: o.Repository, Directory: true})
	if err := selection.Err(); err != nil {
		return selection, report, err
	}
	if err := c.checkPresent(ctx, selection); err != nil {
		return selection, report, content.At(dst.Path(), err)
	}
	report, err = c.bring(ctx, selection)
	return selection, report, err
}

type copying struct {
	dst   *layout.Layout
	o     CopyOptions
	facts []Facts
	from  []*layout.Reader // of each of facts
}

// look reads the facts of what a source gives.
func (c *copying) look(ctx context.Context, src layout.Source) error {
	chosen := src.Ref.Name != "" || src.Ref.Digest != ""
	var entries []layout.Entry
	if chosen {
		e, err := src.Lookup(ctx, src.Ref)
		if err != nil {
			return err
		}
		entries = []layout.Entry{e}
	} else {
		var err error
		if entries, err = allEntries(ctx, src.Reader); err != nil {
			return err
		}
	}
	facts, err := Look(ctx, src.Reader, entries, func(int) bool { return chosen }, src.Limits())
	if err != nil {
		return err
	}
	c.facts = append(c.facts, facts...)
	for range facts {
		c.from = append(c.from, src.Reader)
	}
	return nil
}

func allEntries(ctx context.Context, r *layout.Reader) ([]layout.Entry, error) {
	var entries []layout.Entry
	err := r.View(ctx, func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return nil
	})
	return entries, err
}

// checkPresent refuses a destination that holds what the consumer would not accept
// beside what is copied.
func (c *copying) checkPresent(ctx context.Context, selection Selection) error {
	entries, err := allEntries(ctx, c.dst.Reader)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e layout.Entry) bool {
		return slices.ContainsFunc(selection.Kept, func(k Kept) bool {
			return e.Digest == k.Entry.Digest && e.Name() == k.Entry.Name() || e.Name() != "" && e.Name() == k.Entry.Name()
		})
	})
	if len(entries) == 0 {
		return nil
	}
	facts, err := Look(ctx, c.dst, entries, func(int) bool { return true }, c.dst.Limits())
	if err != nil {
		return err
	}
	for _, k := range selection.Kept {
		facts = append(facts, k.after())
	}
	together := Select(c.o.For, facts, Options{Directory: true})
	for _, k := range together.Kept {
		if k.Place < len(entries) && (!k.Whole() || string(k.Entry.Raw) != string(k.Facts.Entry.Raw)) {
			return content.At(k.Facts.Entry.Name(), content.AtDigest(k.Facts.Entry.Digest, content.Errorf(content.ErrRefused,
				"%s would not load it as it is there", c.o.For)))
		}
	}
	return together.Err()
}

// after are the facts of an entry that was kept, where it was brought to.
func (k *Kept) after() Facts {
	f := Facts{Entry: k.Entry, Class: k.Facts.Class, Chosen: true, Children: k.Children, Index: k.Facts.Index}
	switch {
	case k.Content != nil:
		f.Index = k.Content
	case k.single:
		f.Index = nil
	}
	return f
}

// bring copies what was selected and names it.
func (c *copying) bring(ctx context.Context, selection Selection) (report layout.TransferReport, err error) {
	report.Changes = []layout.Change{}
	batch := c.dst.Batch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	seen := map[*layout.Reader]map[content.Digest]bool{}
	for _, k := range selection.Kept {
		src := c.from[k.Place]
		if seen[src] == nil {
			seen[src] = map[content.Digest]bool{}
		}
		copied, err := c.content(ctx, batch, src, k, seen[src])
		report.Add(copied)
		if err != nil {
			return report, content.At(src.Path(), err)
		}
	}
	if err := batch.Publish(ctx); err != nil {
		return report, err
	}
	err = c.dst.Update(ctx, func(tx *layout.Tx) error {
		report.Changes = []layout.Change{}
		for _, k := range selection.Kept {
			change, err := tx.Bring(k.Entry, c.o.Policy)
			if err != nil {
				return err
			}
			if change.Name != "" {
				report.Changes = append(report.Changes, change)
			}
		}
		return nil
	})
	return report, content.At(c.dst.Path(), err)
}

// content copies what one entry reaches.
func (c *copying) content(ctx context.Context, b *layout.Batch, src *layout.Reader, k Kept, seen map[content.Digest]bool) (layout.CopyReport, error) {
	roots := []content.Descriptor{k.Entry.Descriptor}
	if k.Content != nil {
		if _, err := b.PushBytes(ctx, k.Entry.MediaType, k.Content); err != nil {
			return layout.CopyReport{}, err
		}
		roots = nil
		for _, child := range k.Children {
			roots = append(roots, child.Descriptor)
		}
	}
	only := map[content.Digest]bool{}
	for _, child := range k.Children {
		only[child.Digest] = true
	}
	return layout.CopyGraph(ctx, b, src, roots, layout.CopyOptions{Link: c.o.Link, Only: only, Seen: seen})
}
