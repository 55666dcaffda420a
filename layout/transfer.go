package layout

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// A Source is what Transfer takes from a layout: what a reference means, or with
// neither name nor digest every entry. Ref.Layout is not looked at.
type Source struct {
	*Reader
	Ref Reference
}

func (s Source) whole() bool { return s.Ref.Name == "" && s.Ref.Digest == "" }

// TransferOptions say what is taken and how. The zero value takes everything that
// belongs to an image.
type TransferOptions struct {
	CopyOptions
	// Name is what the one image taken is called in the destination; "" keeps names.
	Name string
	// NoReferrers leaves out what has something else as its subject, and the
	// entries that cosign made, unless it is what a Source asks for.
	NoReferrers bool
	// Narrow makes new indexes that list only what is taken, where that is not all: of the
	// Platforms, and what the source has. They have other digests, and what refers to the
	// old ones is left out.
	Narrow bool
	// Policy says what becomes of names that other content has.
	Policy Policy
}

// A TransferReport says what a transfer did.
type TransferReport struct {
	Changes   []Change `json:"changes"`
	Referrers int      `json:"referrers"` // that came along with what they refer to
	// Narrowed are the indexes that are new ones here.
	Narrowed []Narrowing `json:"narrowed,omitempty"`
	CopyReport
}

// Transfer copies images between layouts with all that refers to them, and names
// them in one transaction once their content is durable. Entries keep the bytes
// that they have in the source's index.json, unless one is renamed. Lists of
// referrers become one with those of the destination. Of a whole source, fields of
// index.json that the destination lacks come along. A platform for which an image
// that a Source asks for has nothing is ErrNotFound. If it fails, the names in dst
// are as before.
func Transfer(ctx context.Context, dst *Layout, sources []Source, o TransferOptions) (report TransferReport, err error) {
	t := transfer{dst: dst, o: o, batch: dst.Batch()}
	t.report.Changes = []Change{}
	defer func() { err = errors.Join(err, t.batch.Close()) }()
	for _, src := range sources {
		if err := t.gather(ctx, src); err != nil {
			return t.report, content.At(src.Path(), err)
		}
	}
	if err := t.rename(); err != nil {
		return t.report, err
	}
	if err := t.batch.Publish(ctx); err != nil {
		return t.report, err
	}
	err = dst.Update(ctx, func(tx *Tx) error {
		t.report.Changes = []Change{}
		return t.commit(ctx, tx)
	})
	return t.report, content.At(dst.Path(), err)
}

type transfer struct {
	dst     *Layout
	o       TransferOptions
	batch   *Batch
	entries []Entry // to be brought in
	images  []int   // those of entries that were asked for and belong to no other
	lists   []referrerList
	fields  []indexField // of whole sources
	report  TransferReport
}

// gather stages what one source gives, and notes its entries.
func (t *transfer) gather(ctx context.Context, src Source) error {
	switch {
	case src.whole() && t.o.Narrow:
		images, err := t.imagesOf(ctx, src)
		if err != nil {
			return err
		}
		return t.gatherImages(ctx, src, images)
	case src.whole():
		return t.gatherAll(ctx, src)
	}
	e, err := src.Lookup(ctx, src.Ref)
	if err != nil {
		return err
	}
	if err := t.platforms(ctx, src, e.Descriptor); err != nil {
		return err
	}
	return t.gatherImages(ctx, src, []Entry{e})
}

// imagesOf lists the entries of a source that belong to no other.
func (t *transfer) imagesOf(ctx context.Context, src Source) (images []Entry, err error) {
	referrers, err := src.ReferrerMap(ctx)
	if err != nil {
		return nil, err
	}
	isReferrer := referrers.all()
	err = src.View(ctx, func(x *Index) error {
		t.fields = append(t.fields, x.foreignFields()...)
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			if e.Kind() != KindFallback && !e.IsCosignTag() && !isReferrer[e.Digest] {
				images = append(images, e)
			}
		}
		return nil
	})
	return images, err
}

// gatherImages stages images and what belongs to them, and notes their entries.
func (t *transfer) gatherImages(ctx context.Context, src Source, images []Entry) error {
	n := NewNarrower(src.Reader, t.o.Platforms, src.Limits())
	var roots []content.Descriptor
	first := len(t.report.Narrowed)
	for _, e := range images {
		var err error
		if e, err = t.narrow(ctx, n, e); err != nil {
			return err
		}
		t.images = append(t.images, len(t.entries))
		t.entries = append(t.entries, e)
		roots = append(roots, e.Descriptor)
	}
	seen := map[content.Digest]bool{}
	if err := t.copyGraph(ctx, n, roots, seen); err != nil || t.o.NoReferrers {
		return err
	}
	cosign, err := cosignEntries(ctx, src.Reader)
	if err != nil {
		return err
	}
	a := src.asker()
	defer a.close()
	for i := range t.report.Narrowed[first:] {
		it := &t.report.Narrowed[first+i]
		left, err := a.bound(ctx, it.Old)
		if err != nil {
			return err
		}
		it.Left = len(left) + len(cosign[it.Old])
	}
	// What refers to an image may itself be referred to, and so on.
	done := map[content.Digest]bool{}
	for {
		roots, err := t.belonging(ctx, seen, done, a, cosign)
		if err != nil {
			return err
		}
		if len(roots) == 0 {
			return nil
		}
		if err := t.copyGraph(ctx, src.Reader, roots, seen); err != nil {
			return err
		}
	}
}

// platforms is ErrNotFound if an image has nothing for a platform that is asked for.
// An artifact is for all.
func (t *transfer) platforms(ctx context.Context, src Source, d content.Descriptor) error {
	if len(t.o.Platforms) == 0 {
		return nil
	}
	if !content.IsIndex(d.MediaType) {
		if p, err := content.PlatformOf(ctx, src.Reader, d, src.Limits()); err != nil || p == nil {
			return err
		}
	}
	for _, want := range t.o.Platforms {
		if _, err := content.SelectPlatform(ctx, src.Reader, d, want, src.Limits()); err != nil {
			return err
		}
	}
	return nil
}

// gatherAll stages every entry, each as it is.
func (t *transfer) gatherAll(ctx context.Context, src Source) error {
	referrers, err := src.ReferrerMap(ctx)
	if err != nil {
		return err
	}
	isReferrer := referrers.all()
	var roots []content.Descriptor
	err = src.View(ctx, func(x *Index) error {
		t.fields = append(t.fields, x.foreignFields()...)
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			belongs := e.Kind() == KindFallback || e.IsCosignTag() || isReferrer[e.Digest]
			if belongs && t.o.NoReferrers {
				continue
			}
			if !belongs {
				t.images = append(t.images, len(t.entries))
			}
			t.entries = append(t.entries, e)
			roots = append(roots, e.Descriptor)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !t.o.NoReferrers {
		t.report.Referrers += len(isReferrer)
	}
	return t.copyGraph(ctx, src.Reader, roots, map[content.Digest]bool{})
}

// narrow makes an entry point to a new index, if that is asked for and lists less.
func (t *transfer) narrow(ctx context.Context, n *Narrower, e Entry) (Entry, error) {
	if !t.o.Narrow {
		return e, nil
	}
	d, news, err := n.Narrow(ctx, e.Descriptor)
	t.report.Narrowed = append(t.report.Narrowed, news...)
	if err != nil || d.Digest == e.Digest {
		return e, content.At(e.Name(), err)
	}
	d.Platform, d.ArtifactType = e.Platform, e.ArtifactType
	return e.WithContent(d), nil
}

func (t *transfer) copyGraph(ctx context.Context, src content.Fetcher, roots []content.Descriptor, seen map[content.Digest]bool) error {
	o := t.o.CopyOptions
	o.Seen = seen
	report, err := CopyGraph(ctx, t.batch, src, roots, o)
	t.report.Add(report)
	return err
}

// Join adds what another transfer did.
func (r *TransferReport) Join(more TransferReport) {
	r.Changes = append(r.Changes, more.Changes...)
	r.Narrowed = append(r.Narrowed, more.Narrowed...)
	r.Referrers += more.Referrers
	r.Add(more.CopyReport)
}

// Add adds what another copy did.
func (r *CopyReport) Add(more CopyReport) {
	r.Blobs += more.Blobs
	r.Bytes += more.Bytes
	r.Present += more.Present
	r.Absent = append(r.Absent, more.Absent...)
}

// belonging notes what refers to what has been seen since the last time, and
// returns it. done is the set of subjects that it has been through.
func (t *transfer) belonging(ctx context.Context, seen, done map[content.Digest]bool, a *asker, cosign map[content.Digest][]Entry) ([]content.Descriptor, error) {
	var roots []content.Descriptor
	for _, subject := range slices.Sorted(maps.Keys(seen)) {
		if done[subject] {
			continue
		}
		done[subject] = true
		found, err := a.bound(ctx, subject)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			t.lists = append(t.lists, referrerList{tag: FallbackTag(subject), children: found})
			t.report.Referrers += len(found)
			roots = append(roots, found...)
		}
		for _, e := range cosign[subject] {
			t.entries = append(t.entries, e)
			t.report.Referrers++
			roots = append(roots, e.Descriptor)
		}
	}
	a.close() // copying what was found takes a while
	return roots, nil
}

// cosignEntries lists the entries that cosign made, by the digest in their names.
func cosignEntries(ctx context.Context, r *Reader) (map[content.Digest][]Entry, error) {
	found := map[content.Digest][]Entry{}
	err := r.View(ctx, func(x *Index) error {
		for e, err := range x.EntriesIf(func(s Summary) bool { return isCosignTag(s.Name) }) {
			if err != nil {
				return err
			}
			subject := cosignSubject(e.Name())
			found[subject] = append(found[subject], e)
		}
		return nil
	})
	return found, err
}

// rename gives the one image its new name.
func (t *transfer) rename() error {
	if t.o.Name == "" {
		return nil
	}
	if err := CheckName(t.o.Name); err != nil {
		return err
	}
	if len(t.images) != 1 {
		return content.Errorf(content.ErrInvalid, "%d images can't all be called %q", len(t.images), t.o.Name)
	}
	e := &t.entries[t.images[0]]
	*e = e.WithName(t.o.Name)
	return nil
}

// commit brings in the entries and lists.
func (t *transfer) commit(ctx context.Context, tx *Tx) error {
	for _, e := range t.entries {
		if e.Kind() == KindFallback {
			if err := tx.MergeList(ctx, t.batch, e); err != nil {
				return err
			}
			continue
		}
		change, err := tx.Bring(e, t.o.Policy)
		if err != nil {
			return err
		}
		if change.Name != "" {
			t.report.Changes = append(t.report.Changes, change)
		}
	}
	for _, f := range t.fields {
		tx.bringField(f)
	}
	for _, list := range t.lists {
		if err := tx.mergeList(list); err != nil {
			return err
		}
	}
	return nil
}
