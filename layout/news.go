package layout

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// news is what a change of index.json means for the catalog.
type news struct {
	before, after durable.Stamp
	known         bool // after is that of the very file that was written
	at            time.Time
	added, gone   []catalog.Root
}

// fewNews is how many changes a writer brings into the catalog. More are left to
// whoever asks next.
const fewNews = 1000

// newsOf gathers, before index.json is replaced, what the changes mean; nil if
// there is no catalog to tell.
func (l *Layout) newsOf(tx *Tx, read indexFile) *news {
	disk, ok := read.(diskIndex)
	if !ok || !l.catalog().Exists() || len(tx.removed)+len(tx.replaced)+len(tx.added) > fewNews {
		return nil
	}
	n := &news{before: durable.StampOf(disk.info)}
	for c := range tx.fresh() {
		e, err := c.entry()
		if err != nil {
			return nil
		}
		n.added = append(n.added, rootsOf(e)...)
	}
	for _, i := range slices.Concat(keys(tx.removed), keys(tx.replaced)) {
		old, err := tx.base.entry(i)
		if err != nil {
			return nil
		}
		for _, root := range rootsOf(old) {
			still, err := tx.gives(root)
			if err != nil {
				return nil
			}
			if !still {
				n.gone = append(n.gone, root)
			}
		}
	}
	return n
}

func keys[V any](m map[int]V) []int {
	list := make([]int, 0, len(m))
	for i := range m {
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

// gives says whether any entry gives a root, with the changes so far.
func (tx *Tx) gives(root catalog.Root) (bool, error) {
	same, err := tx.ByDigest(root.Digest)
	for _, e := range same {
		for _, r := range rootsOf(e) {
			if r.Form == root.Form && r.About == root.About {
				return true, nil
			}
		}
	}
	return false, err
}

// look notes how index.json is after the staged file, which was as before says, was
// put in its place.
func (n *news) look(before os.FileInfo, path string) {
	if n == nil {
		return
	}
	n.at = time.Now()
	now, err := os.Lstat(path)
	if err != nil {
		return
	}
	n.known = os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime())
	n.after = durable.StampOf(now)
}

// settle does what follows a change: the catalog is told, and lists that were
// replaced go. The change is made already, so what fails here is left to others.
func (l *Layout) settle(ctx context.Context, tx *Tx, n *news) {
	told := false
	if n != nil && n.known {
		before := catalog.State{Index: n.before}
		after := catalog.State{Index: n.after, At: n.at, Own: true}
		told = l.catalog().Apply(ctx, before, after, n.added, n.gone, l.crawled()) == nil
	}
	l.dropReplaced(ctx, tx, n, told)
}
