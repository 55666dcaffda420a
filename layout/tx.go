package layout

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// A Policy says what becomes of a name that other content has.
type Policy uint8

// The policies.
const (
	Overwrite Policy = iota // the name moves, which is reported
	Fail                    // ErrConflict
	Skip                    // the name stays where it is, which is reported
)

// A Change says what became of a name. Old is empty for a new name, New for one
// that is gone; they are equal where nothing moved.
type Change struct {
	Name    string         `json:"name"`
	Old     content.Digest `json:"old,omitempty"`
	New     content.Digest `json:"new,omitempty"`
	Skipped bool           `json:"skipped,omitempty"`
}

// Moved says whether a name that was there points elsewhere now.
func (c Change) Moved() bool { return c.Old != "" && c.Old != c.New && !c.Skipped }

// A Tx is the view of index.json inside Update, with the changes made so far. It is
// not safe for concurrent use and of no use after fn returned.
type Tx struct {
	l        *Layout
	base     *Index
	removed  map[int]bool     // spans that go
	replaced map[int]newcomer // spans that become another entry
	met      map[int]bool     // entries that were brought in and had been there
	added    []addition       // new entries, in order
	names    map[string][]int
	ends     map[Kind]int     // endOf
	digests  map[uint32][]int // by the hash of the digest
	lookups  int              // of names so far
	searches int              // for digests so far
	lists    listEdits
	fields   []indexField // new top-level members
}

// addition is a new entry and the span that it stands behind; -1 is the front.
type addition struct {
	newcomer
	after   int
	dropped bool
}

// Update runs fn with the newest index.json under the layout's exclusive lock and,
// if fn returns nil, makes the changes it asked for durable in one atomic step
// (image-spec image-layout.md, "index.json file"). If fn fails, or the process
// dies, the layout keeps its old names. If fn changes nothing, nothing is written. With
// a change a layout gets the oci-layout that it lacked.
//
// A foreign tool that takes no lock may write index.json meanwhile: then fn runs
// again on what it wrote, so fn must only depend on its Tx. The content of every
// entry that fn brings in must be there: ErrMissing, and nothing is changed, if not.
func (l *Layout) Update(ctx context.Context, fn func(*Tx) error) (err error) {
	unlock, err := l.lease.lock(ctx, l.o.LockTimeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	// From here on no gc removes anything; what one took that was held too late for
	// it is put back, so that fn finds it.
	if err := l.restoreHeld(); err != nil {
		return err
	}
	for {
		done, err := l.tryUpdate(ctx, fn)
		if err != nil || done {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
}

// tryUpdate is one attempt of Update; done is false if a foreign tool wrote
// index.json meanwhile.
func (l *Layout) tryUpdate(ctx context.Context, fn func(*Tx) error) (done bool, err error) {
	x, f, err := l.readIndex(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // only read
	tx := &Tx{l: l, base: x, removed: map[int]bool{}, replaced: map[int]newcomer{}}
	defer func() { err = errors.Join(err, tx.lists.close()) }()
	if err := fn(tx); err != nil {
		return true, err
	}
	if err := tx.writeLists(ctx); err != nil || !tx.dirty() {
		return true, err
	}
	if err := l.checkPresent(ctx, tx); err != nil {
		return true, err
	}
	if !isMarked(l.path) {
		if err := l.lease.initFiles(); err != nil {
			return true, err
		}
	}
	staged, err := l.stageIndex(ctx, tx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, staged.Discard()) }()
	news := l.newsOf(tx, f)
	if done, err = l.replaceIndex(ctx, f, staged, tx, news); err == nil && done {
		l.settle(ctx, tx, news)
	}
	return done, err
}

// checkPresent holds that the content of new entries is there. What another tool's
// gc took meanwhile is put back first.
func (l *Layout) checkPresent(ctx context.Context, tx *Tx) error {
	if err := l.restoreHeld(); err != nil {
		return err
	}
	for c := range tx.fresh() {
		if !content.Verifiable(c.digest) {
			continue
		}
		size, err := l.sizeOf(ctx, c.digest, c.size)
		if errors.Is(err, content.ErrNotFound) {
			return content.AtDigest(c.digest, content.Errorf(content.ErrMissing, "the blob of entry %q is missing", c.summary.Name))
		}
		if err != nil {
			return err
		}
		if size != c.size {
			return content.AtDigest(c.digest, content.Errorf(content.ErrSize, "blob has %d bytes, entry %q says %d", size, c.summary.Name, c.size))
		}
	}
	return nil
}

// sizeOf is the size of a blob. skopeo writes manifests that are there already again,
// in place: one that has not the size that it should have is looked at again.
func (l *Layout) sizeOf(ctx context.Context, d content.Digest, want int64) (size int64, err error) {
	for attempt := time.Duration(1); ; attempt++ {
		size, err = l.Size(ctx, d)
		if err != nil || size == want || attempt == 4 {
			return size, err
		}
		time.Sleep(attempt * 10 * time.Millisecond)
	}
}

// restoreHeld puts back what the open batches hold and somebody removed.
func (l *Layout) restoreHeld() error {
	l.mu.Lock()
	batches := append([]*Batch(nil), l.batches...)
	l.mu.Unlock()
	for _, b := range batches {
		n, err := b.restore()
		if err != nil {
			return err
		}
		if n > 0 {
			l.o.Warn(content.At(l.path, content.Errorf(content.ErrMissing, "%d blobs were removed by another tool and have been put back", n)))
		}
	}
	return nil
}

func (l *Layout) stageIndex(ctx context.Context, tx *Tx) (*durable.File, error) {
	dir, err := l.lease.begin(ctx)
	if err != nil {
		return nil, err
	}
	f, err := l.disk.Stage(dir)
	if err != nil {
		return nil, err
	}
	err = tx.write(f)
	if err == nil {
		err = f.Fsync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Discard())
	}
	return f, nil
}

// replaceIndex puts the staged index.json in the place of the one that was read, if
// that is still there. BuildKit's lock is held around this alone, since BuildKit
// fails at once where it can't have it.
func (l *Layout) replaceIndex(ctx context.Context, read indexFile, staged *durable.File, tx *Tx, news *news) (done bool, err error) {
	foreign, err := l.foreignLock(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, foreign.UnlockAndRemove()) }()
	if err := l.checkPresent(ctx, tx); err != nil {
		return true, err
	}
	path := filepath.Join(l.path, "index.json")
	before, statErr := staged.Stat()
	if err := staged.Close(); err != nil {
		return true, err
	}
	// What another tool writes between this look and the rename is lost, so nothing
	// that may wait stands between them.
	if read.changed() {
		return false, nil
	}
	if err := l.disk.Publish(staged.Name(), path); err != nil {
		return true, err
	}
	if err := l.disk.SyncDir(l.path); err != nil {
		return true, err
	}
	if statErr == nil {
		news.look(before, path)
	}
	return true, l.checkPresent(ctx, tx)
}

// foreignLock takes index.json.lock, which BuildKit and buildx lock.
func (l *Layout) foreignLock(ctx context.Context) (*durable.FileLock, error) {
	path := filepath.Join(l.path, "index.json.lock")
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return durable.Lock(ctx, path, durable.LockOptions{Timeout: l.o.LockTimeout})
}

func (tx *Tx) dirty() bool {
	if len(tx.removed)+len(tx.replaced)+len(tx.fields) > 0 {
		return true
	}
	for _, a := range tx.added {
		if !a.dropped {
			return true
		}
	}
	return false
}

// fresh yields the entries that were not there before.
func (tx *Tx) fresh() iter.Seq[*newcomer] {
	return func(yield func(*newcomer) bool) {
		for _, c := range tx.replaced {
			if !yield(&c) {
				return
			}
		}
		for i := range tx.added {
			if a := &tx.added[i]; !a.dropped && !yield(&a.newcomer) {
				return
			}
		}
	}
}

// Entries yields every entry as the changes so far leave it. An error ends it.
func (tx *Tx) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := tx.base.window()
		next := tx.additions()
		for i := -1; i < tx.base.spans.len(); i++ {
			if i >= 0 && !tx.removed[i] {
				c, isReplaced := tx.replaced[i]
				e, err := Entry{}, error(nil)
				if isReplaced {
					e, err = c.entry()
				} else {
					e, err = w.entry(tx.base.spans.at(i))
				}
				if !yield(e, err) || err != nil {
					return
				}
			}
			for _, a := range next(i) {
				if e, err := a.entry(); !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// additions returns a function that gives the new entries behind a span, to be
// called with each span in order.
func (tx *Tx) additions() func(after int) []*addition {
	if len(tx.added) == 0 {
		return func(int) []*addition { return nil }
	}
	behind := map[int][]*addition{}
	for i := range tx.added {
		if a := &tx.added[i]; !a.dropped {
			behind[a.after] = append(behind[a.after], a)
		}
	}
	for _, list := range behind {
		slices.SortStableFunc(list, func(a, b *addition) int { return cmp.Compare(a.summary.Kind, b.summary.Kind) })
	}
	return func(after int) []*addition { return behind[after] }
}

// Resolve finds what a name means, as Index.Resolve, with the changes so far.
func (tx *Tx) Resolve(name string) (Entry, error) {
	return lookup{tx.total(), tx.live, tx.at}.resolve(name)
}

// Lookup finds the entry of a name, a digest, or both; ref.Layout is not looked at.
// A digest alone that no entry has gives an empty Entry.
func (tx *Tx) Lookup(ref Reference) (Entry, error) {
	return pick(ref, tx.Resolve, tx.ByDigest)
}

// ByDigest returns the entries of a digest, with the changes so far.
func (tx *Tx) ByDigest(d content.Digest) ([]Entry, error) {
	numbers, err := tx.withDigest(d)
	if err != nil {
		return nil, err
	}
	var found []Entry
	for _, i := range numbers {
		e, err := tx.at(i)
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, nil
}

// Tag puts e under a name, which is normalised as Entry.WithName does, and whatever
// had that name loses it, as p says. The entry keeps its place if the name was there.
func (tx *Tx) Tag(e Entry, name string, p Policy) (Change, error) {
	if err := CheckName(name); err != nil {
		return Change{}, err
	}
	if e.Raw == nil {
		e = NewEntry(e.Descriptor)
	}
	e = e.WithName(name)
	return tx.name(e, tx.called(e.Name()), p)
}

// Bring is Tag with the name that e has: its annotations stay as another tool wrote
// them. An entry without a name is added. Entries that were brought in by the same
// transaction never take each other's place, so that of several under one name,
// which foreign tools write, none is lost.
func (tx *Tx) Bring(e Entry, p Policy) (Change, error) {
	if e.Name() == "" {
		return Change{New: e.Digest}, tx.Add(e)
	}
	old := tx.called(e.summary().holder())
	if slices.ContainsFunc(old, tx.isFresh) {
		return Change{Name: e.Name(), New: e.Digest}, tx.Add(e)
	}
	return tx.name(e, old, p)
}

// name makes e the one entry of its name, in place of the old ones.
func (tx *Tx) name(e Entry, old []int, p Policy) (Change, error) {
	if e.Raw == nil {
		e = NewEntry(e.Descriptor)
	}
	change := Change{Name: e.Name(), New: e.Digest}
	e, err := tx.uniqueRef(e)
	if err != nil {
		return Change{}, err
	}
	if len(old) == 0 {
		tx.insert(e)
		return change, nil
	}
	first, err := tx.at(old[0])
	if err != nil {
		return Change{}, err
	}
	change.Old = first.Digest
	if change.Old != change.New {
		switch p {
		case Fail:
			return change, content.Errorf(content.ErrConflict, "%s is %s already", change.Name, first.Digest)
		case Skip:
			change.Skipped = true
			return change, nil
		}
	}
	return change, tx.put(old, first, e)
}

// put makes e the one entry of its name, in place of the first of the old ones.
func (tx *Tx) put(old []int, first, e Entry) error {
	for _, i := range old[1:] {
		tx.remove(i)
	}
	switch {
	case string(first.Raw) == string(e.Raw):
		if tx.met == nil {
			tx.met = map[int]bool{}
		}
		tx.met[old[0]] = true
	case first.Kind() == e.Kind():
		tx.replace(old[0], e)
	default:
		tx.remove(old[0])
		tx.insert(e)
	}
	return nil
}

// uniqueRef gives e its full name as ref.name too, if an entry of another name has
// its ref.name: readers that know ref.name alone would see one of the two.
func (tx *Tx) uniqueRef(e Entry) (Entry, error) {
	if e.Name() == e.RefName() || e.summary().stale() {
		return e, nil
	}
	for _, i := range tx.withRef(e.RefName()) {
		other, err := tx.at(i)
		if err != nil {
			return e, err
		}
		if other.Name() != e.Name() {
			return e.withNames(e.Name(), e.Name()), nil
		}
	}
	return e, nil
}

// Add brings in an entry as it is, its names included. One with the same bytes that
// is there already stays the only one.
func (tx *Tx) Add(e Entry) error {
	if e.Raw == nil {
		e = NewEntry(e.Descriptor)
	}
	same, err := tx.ByDigest(e.Digest)
	if err != nil {
		return err
	}
	for _, other := range same {
		if string(other.Raw) == string(e.Raw) {
			return nil
		}
	}
	tx.insert(e)
	return nil
}

// Untag takes out the entries whose name is exactly name, and returns them; none is
// no error. Their content stays until gc.
func (tx *Tx) Untag(name string) ([]Entry, error) {
	return tx.drop(tx.called(name))
}

// RemoveDigest takes out the entries of a digest, and returns them; none is no
// error. Their content stays until gc.
func (tx *Tx) RemoveDigest(d content.Digest) ([]Entry, error) {
	found, err := tx.withDigest(d)
	if err != nil {
		return nil, err
	}
	return tx.drop(found)
}

func (tx *Tx) drop(numbers []int) ([]Entry, error) {
	var gone []Entry
	for _, i := range numbers {
		e, err := tx.at(i)
		if err != nil {
			return nil, err
		}
		tx.remove(i)
		gone = append(gone, e)
	}
	return gone, nil
}

// Remove takes out every entry that match wants gone, and returns them. It reads
// every entry. Their content stays until gc.
func (tx *Tx) Remove(match func(Entry) bool) ([]Entry, error) {
	var found []int
	w := tx.base.window()
	for i := range tx.total() {
		if _, ok := tx.live(i); !ok {
			continue
		}
		var e Entry
		var err error
		if _, replaced := tx.replaced[i]; i < tx.base.spans.len() && !replaced {
			e, err = w.entry(tx.base.spans.at(i))
		} else {
			e, err = tx.at(i)
		}
		if err != nil {
			return nil, err
		}
		if match(e) {
			found = append(found, i)
		}
	}
	return tx.drop(found)
}
