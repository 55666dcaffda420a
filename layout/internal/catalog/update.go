package catalog

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/ocilayout/ocilayout/internal/durable"
)

// manyRoots is from how many new roots on building is cheaper than bringing in.
const manyRoots = 20_000

// Refresh makes the catalog whole for the state that src is in, which is now: it is
// brought up to date, or built where there is none or a wrong one. ErrUnusable says
// that it can't be.
func (c Catalog) Refresh(ctx context.Context, now State, src Source) error {
	if err := checkDir(c.Dir); err != nil {
		return errors.Join(ErrUnusable, err)
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	err = c.bringIn(ctx, now, src)
	if errors.Is(err, ErrStale) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrLarge) {
		err = c.build(ctx, now, src)
	}
	return err
}

// lock takes the writers' lock.
func (c Catalog) lock(ctx context.Context) (func(), error) {
	l, err := durable.Lock(ctx, c.path(lockName), durable.LockOptions{Timeout: patience})
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, errors.Join(ErrUnusable, err)
	}
	return func() { _ = l.Unlock() }, nil // closing the file has released it
}

// bringIn brings an existing catalog up to date.
func (c Catalog) bringIn(ctx context.Context, now State, src Source) error {
	db, sealed, err := c.openSealed(false)
	if err != nil {
		return err
	}
	defer db.close()
	if sealed.indexFresh(now) && sealed.blobsFresh(now) {
		return nil
	}
	u, err := newUpdater(c, db, src)
	if err != nil {
		return err
	}
	if !sealed.blobsFresh(now) {
		if err := u.retry(); err != nil {
			return err
		}
	}
	if !sealed.indexFresh(now) {
		if err := u.diff(ctx); err != nil {
			return err
		}
	}
	return u.finish(ctx, sealed, now)
}

// Apply brings in what one change of index.json did, if the catalog was whole
// before it: roots that were added, and roots that went. Otherwise, or if others
// use it for longer than a moment, it does nothing, and the next Refresh has more
// to do.
func (c Catalog) Apply(ctx context.Context, before, after State, added, gone []Root, src Source) error {
	if !c.Exists() {
		return nil
	}
	if err := checkDir(c.Dir); err != nil {
		return errors.Join(ErrUnusable, err)
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	db, sealed, err := c.openSealed(false)
	if err != nil {
		return err
	}
	defer db.close()
	if !sealed.wasFor(before) {
		return ErrStale
	}
	u, err := newUpdater(c, db, src)
	if err != nil {
		return err
	}
	for _, r := range added {
		if err := u.addRoot(r); err != nil {
			return err
		}
	}
	u.gone = gone
	after.Blobs = sealed.Blobs // what came meanwhile was not looked at
	u.racy = sealed.Racy
	return u.finish(ctx, sealed, after)
}

// wasFor says whether the seal is for the state that a writer has read under the
// layout's lock. A racy seal will do, and stays racy: a foreign change that it may
// have missed is found by the next Refresh.
func (s seal) wasFor(before State) bool { return s.Index == before.Index }

// updater changes the database in one transaction.
type updater struct {
	c       Catalog
	db      *database
	src     Source
	pending *sorter
	gone    []Root
	dirty   bool
	racy    bool // the new seal is, whatever the state
}

func newUpdater(c Catalog, db *database, src Source) (*updater, error) {
	if _, err := db.begin(true); err != nil {
		return nil, err
	}
	db.db.NoSync = c.NoSync
	return &updater{c: c, db: db, src: src, pending: newSorter(nil)}, nil
}

func (u *updater) put(t table, key, value []byte) error {
	u.dirty = true
	return u.db.put(t, key, value)
}

func (u *updater) delete(t table, key []byte) error {
	u.dirty = true
	return u.db.delete(t, key)
}

// addRoot adds the rows of a root, and its manifest to those that must be known.
func (u *updater) addRoot(r Root) error {
	key, value := r.key(), r.value()
	have, err := u.db.get(roots, key)
	if err != nil || bytes.Equal(have, value) {
		return err
	}
	if err := u.put(roots, key, value); err != nil {
		return err
	}
	if r.Form != Plain {
		if err := u.put(claims, r.claimKey(), nil); err != nil {
			return err
		}
	}
	if u.pending.count > manyRoots {
		return ErrLarge
	}
	return u.pending.add(r.node().key(), nil)
}

// retry makes what could not be read pending again.
func (u *updater) retry() error {
	return u.db.scan(holes, nil, func(key, _ []byte) error { return u.pending.add(key, nil) })
}

// diff finds what was added to index.json and what went, by going through the roots
// of now and then in one order.
func (u *updater) diff(ctx context.Context) (err error) {
	scratch, err := u.c.scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scratch.remove()) }()
	now := newSorter(scratch)
	if err := u.src.Roots(ctx, func(r Root) error { return now.add(r.key(), r.value()) }); err != nil {
		return err
	}
	next, stop := iter.Pull2(u.db.rows(roots))
	defer stop()
	var added []Root
	old, err, more := next()
	err = errors.Join(err, now.each(func(key, value []byte) error {
		for ; more && err == nil && bytes.Compare(old.key, key) < 0; old, err, more = next() {
			if err := u.noteGone(old); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if more && bytes.Equal(old.key, key) {
			same := bytes.Equal(old.value, value)
			if old, err, more = next(); same || err != nil {
				return err
			}
		}
		r, err := readRoot(key, value)
		if added = append(added, r); len(added) > manyRoots {
			return ErrLarge
		}
		return err
	}))
	for ; more && err == nil; old, err, more = next() {
		err = u.noteGone(old)
	}
	for _, r := range added {
		if err == nil {
			err = u.addRoot(r)
		}
	}
	return err
}

func (u *updater) noteGone(old tableRow) error {
	r, err := readRoot(old.key, old.value)
	u.gone = append(u.gone, r)
	return err
}

// finish reads what is not known yet, forgets what nothing leads to any more, and
// seals the file for the state.
func (u *updater) finish(ctx context.Context, sealed seal, now State) error {
	c := crawler{src: u.src, into: u, limits: u.c.Limits.WithDefaults()}
	if err := c.run(ctx, u.pending, newSorter); err != nil {
		return err
	}
	for _, r := range u.gone {
		if err := u.removeRoot(r); err != nil {
			return err
		}
	}
	open, err := u.db.has(holes, nil)
	if err != nil {
		return err
	}
	unsynced := sealed.Boot != [16]byte{}
	if u.dirty {
		if err := u.db.commit(); err != nil {
			return err
		}
		unsynced = u.c.NoSync
	}
	info, err := u.db.file.Stat()
	if err != nil {
		return err
	}
	fresh := newSeal(info, now, open, unsynced)
	fresh.Racy = fresh.Racy || u.racy
	return fresh.write(u.c.path(sealName))
}

// known and the next two make the updater a sink.
func (u *updater) known(long []byte) (bool, error) {
	b, err := u.db.get(manifests, long)
	return b != nil, err
}

func (u *updater) add(_ node, long []byte, r record, encoded []byte) error {
	if err := u.dropHoles(long); err != nil {
		return err
	}
	return r.rows(long, encoded, u.put)
}

func (u *updater) hole(n node) error {
	key := n.key()
	if there, err := u.db.has(holes, key); err != nil || there {
		return err
	}
	return u.put(holes, key, nil)
}

func (u *updater) dropHoles(long []byte) error {
	var keys [][]byte
	err := u.db.scan(holes, long, func(key, _ []byte) error {
		keys = append(keys, bytes.Clone(key))
		return nil
	})
	for _, key := range keys {
		if err == nil {
			err = u.delete(holes, key)
		}
	}
	return err
}

func (u *updater) removeRoot(r Root) error {
	key := r.key()
	if err := u.delete(roots, key); err != nil {
		return err
	}
	if r.Form != Plain {
		if err := u.delete(claims, r.claimKey()); err != nil {
			return err
		}
	}
	return u.release(key[:digestSize(key)])
}

// release forgets a manifest if nothing leads to it any more, and then what it led to.
func (u *updater) release(long []byte) error {
	for waiting := [][]byte{long}; len(waiting) > 0; {
		long, waiting = waiting[len(waiting)-1], waiting[:len(waiting)-1]
		for t, prefix := range map[table][]byte{roots: long, parents: []byte(shorten(long))} {
			led, err := u.db.has(t, prefix)
			if err != nil {
				return err
			}
			if led {
				long = nil
				break
			}
		}
		if long == nil {
			continue
		}
		if err := u.dropHoles(long); err != nil {
			return err
		}
		encoded, err := u.db.get(manifests, long)
		if err != nil || encoded == nil {
			if err != nil {
				return err
			}
			continue
		}
		r, err := decodeRecord(encoded)
		if err != nil {
			return err
		}
		if err := r.rows(long, nil, func(t table, key, _ []byte) error { return u.delete(t, key) }); err != nil {
			return err
		}
		for _, c := range r.children {
			if c.MediaType != "" {
				waiting = append(waiting, appendDigest(nil, c.Digest))
			}
		}
	}
	return nil
}
