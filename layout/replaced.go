package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// fewIndexes is how many indexes are read to find out whether one of them leads to
// a list of referrers that was replaced. Where there are more, the catalog must
// know; a list that nobody can tell about stays for gc.
const fewIndexes = 256

// dropReplaced removes the lists of referrers that a change has replaced, since
// many changes of a long list would leave much: unless an entry names one, an index
// lists it, or an open Batch holds it. told says that the catalog is up to date.
func (l *Layout) dropReplaced(ctx context.Context, tx *Tx, n *news, told bool) {
	for _, desc := range tx.lists.replaced {
		if desc.Digest == "" || !content.Verifiable(desc.Digest) {
			continue
		}
		if used, err := tx.leadsTo(ctx, n, told, desc.Digest); err != nil || used || l.holds(desc.Digest) {
			continue
		}
		l.removeBlob(desc.Digest)
	}
}

// removeBlob removes a blob's file. Nothing is removed through a link.
func (l *Layout) removeBlob(d content.Digest) {
	file := l.blobFile(d)
	for _, dir := range []string{filepath.Dir(file), filepath.Dir(filepath.Dir(file))} {
		if info, err := os.Lstat(dir); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return
		}
	}
	_ = os.Remove(file) // else it is for gc
}

// holds says whether an open batch relies on a blob.
func (l *Layout) holds(d content.Digest) bool {
	l.mu.Lock()
	batches := append([]*Batch(nil), l.batches...)
	l.mu.Unlock()
	for _, b := range batches {
		b.mu.Lock()
		_, held := b.held[d]
		b.mu.Unlock()
		if held {
			return true
		}
	}
	return false
}

// leadsTo says whether an entry names d, or an index that entries lead to lists it.
func (tx *Tx) leadsTo(ctx context.Context, n *news, told bool, d content.Digest) (bool, error) {
	named, err := tx.withDigest(d)
	if err != nil || len(named) > 0 {
		return true, err
	}
	var indexes []int
	for i := range tx.total() {
		if s, ok := tx.live(i); !ok || s.Kind == KindFallback || !tx.isIndex(i) {
			continue
		}
		if indexes = append(indexes, i); len(indexes) > fewIndexes {
			return tx.listedSomewhere(n, told, d)
		}
	}
	w := listSearch{f: tx.l, limits: tx.l.Limits(), want: d, seen: map[content.Digest]bool{}}
	for _, i := range indexes {
		e, err := tx.at(i)
		if err != nil {
			return true, err
		}
		if found, err := w.in(ctx, e.Descriptor, 0); err != nil || found {
			return true, err
		}
	}
	return false, nil
}

func (tx *Tx) isIndex(i int) bool {
	c, changed := tx.replaced[i]
	switch n := tx.base.spans.len(); {
	case i >= n:
		c = tx.added[i-n].newcomer
	case !changed:
		return tx.base.spans.at(i).index
	}
	return c.index
}

// listedSomewhere asks the catalog, if that is up to date.
func (tx *Tx) listedSomewhere(n *news, told bool, d content.Digest) (bool, error) {
	if !told {
		return true, nil
	}
	snap, err := tx.l.catalog().Open(catalog.State{Index: n.after, At: n.at}, true)
	if err != nil {
		return true, err
	}
	defer snap.Close()
	listing, err := snap.Parents(d)
	return len(listing) > 0, err
}

// listSearch looks for a digest in indexes and in those that they list.
type listSearch struct {
	f      content.Fetcher
	limits content.Limits
	want   content.Digest
	seen   map[content.Digest]bool
}

func (w *listSearch) in(ctx context.Context, index content.Descriptor, depth int) (bool, error) {
	if w.seen[index.Digest] {
		return false, nil
	}
	w.seen[index.Digest] = true
	if depth > w.limits.Depth || len(w.seen) > fewIndexes {
		return true, nil // nobody knows
	}
	m, _, err := content.FetchManifest(ctx, w.f, index, w.limits)
	if errors.Is(err, content.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	for _, child := range m.Manifests {
		if child.Digest == w.want {
			return true, nil
		}
		if !content.IsIndex(child.MediaType) {
			continue
		}
		if found, err := w.in(ctx, child, depth+1); err != nil || found {
			return true, err
		}
	}
	return false, nil
}
