package layout

import (
	"context"
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// A Deletion says what Delete took out of index.json. The blobs stay until gc.
type Deletion struct {
	Digest    content.Digest   `json:"digest"`
	Names     []string         `json:"names"`     // that the manifest had
	Referrers []content.Digest `json:"referrers"` // that went with it, what cosign's tags stand for among them
	Left      int              `json:"left"`      // referrers that stay without their subject
}

// Delete takes every entry of a manifest out of index.json, in one transaction.
// With its referrers, theirs go too, at any depth, with the lists of referrers and
// the entries that cosign made for them; of an index, those of its children as well, if
// nothing else leads to these. ErrNotFound if no entry has the digest.
func (l *Layout) Delete(ctx context.Context, d content.Digest, withReferrers bool) (Deletion, error) {
	if err := content.CheckDigest(d); err != nil {
		return Deletion{}, err
	}
	report := Deletion{Digest: d, Names: []string{}, Referrers: []content.Digest{}}
	if !withReferrers {
		a := l.asker()
		left, err := a.bound(ctx, d)
		a.close()
		if err != nil {
			return report, err
		}
		report.Left = len(left)
	}
	err := l.Update(ctx, func(tx *Tx) error {
		report.Names = []string{}
		gone, err := tx.Remove(func(e Entry) bool { return e.Digest == d })
		if err != nil {
			return err
		}
		if len(gone) == 0 {
			return content.AtDigest(d, content.Errorf(content.ErrNotFound, "no entry has this digest"))
		}
		for _, e := range gone {
			if e.Name() != "" {
				report.Names = append(report.Names, e.Name())
			}
		}
		if !withReferrers {
			return nil
		}
		entries, referrers, err := l.dropReferrers(ctx, tx, gone)
		report.Referrers = append([]content.Digest{}, referrers...)
		for _, e := range entries {
			if e.IsCosignTag() && !slices.Contains(report.Referrers, e.Digest) {
				report.Referrers = append(report.Referrers, e.Digest)
			}
		}
		return err
	})
	return report, content.At(l.path, err)
}

// dropReferrers takes out what refers to content that has just lost its last entry, or
// to a child of such an index that nothing else leads to: entries, and the referrers
// themselves, which a list may have had alone.
func (l *Layout) dropReferrers(ctx context.Context, tx *Tx, gone []Entry) (entries []Entry, referrers []content.Digest, err error) {
	var lost []content.Descriptor
	going, isIndex := []content.Digest{}, false
	for _, e := range gone {
		left, err := tx.withDigest(e.Digest)
		if err != nil {
			return nil, nil, err
		}
		if len(left) == 0 && !slices.Contains(going, e.Digest) {
			lost, going = append(lost, e.Descriptor), append(going, e.Digest)
			isIndex = isIndex || content.IsIndex(e.MediaType)
		}
	}
	if len(lost) == 0 {
		return nil, nil, nil
	}
	if isIndex {
		if going, err = l.lostWith(ctx, tx, lost); err != nil {
			return nil, nil, err
		}
	}
	a := l.asker()
	defer a.close()
	known, referrers, err := a.following(ctx, going)
	if err != nil {
		return nil, nil, err
	}
	entries, err = tx.Remove(belongsTo(known))
	return entries, referrers, err
}

// following lists what has one of the digests as its subject, at any depth: all with
// the digests in front, and alone.
func (a *asker) following(ctx context.Context, digests []content.Digest) (all, referrers []content.Digest, err error) {
	all, referrers = slices.Clone(digests), []content.Digest{}
	known := map[content.Digest]bool{}
	for _, d := range digests {
		known[d] = true
	}
	for i := 0; i < len(all); i++ {
		found, err := a.bound(ctx, all[i])
		if err != nil {
			return nil, nil, err
		}
		for _, r := range found {
			if !known[r.Digest] {
				known[r.Digest] = true
				all, referrers = append(all, r.Digest), append(referrers, r.Digest)
			}
		}
	}
	return all, referrers, nil
}

// belongsTo says of entries whether they are among the digests, or stand for what
// refers to one of them.
func belongsTo(digests []content.Digest) func(Entry) bool {
	set, tags := map[content.Digest]bool{}, map[string]bool{}
	for _, d := range digests {
		set[d], tags[FallbackTag(d)] = true, true
	}
	return func(e Entry) bool {
		return set[e.Digest] || set[cosignSubject(e.Name())] || e.Kind() == KindFallback && tags[e.Name()]
	}
}
