package catalog

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/ocilayout/ocilayout/internal/durable"
)

// build makes the catalog anew beside the old one, and puts it in its place. What
// it holds in memory is bounded, however large the layout.
func (c Catalog) build(ctx context.Context, now State, src Source) (err error) {
	if err := c.remove(newName); err != nil {
		return err
	}
	scratch, err := c.scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scratch.remove()) }()
	b := &builder{c: c, later: map[table]*sorter{}, spill: scratch}
	for _, t := range []table{subjects, parents, attested, claims, holes} {
		b.later[t] = newSorter(scratch)
	}
	if err := b.create(); err != nil {
		return err
	}
	if err := b.fill(ctx, src); err != nil {
		b.drop()
		return err
	}
	if err := (durable.FS{NoSync: true}).Publish(c.path(newName), c.path(fileName)); err != nil {
		return err
	}
	info, err := os.Lstat(c.path(fileName)) // now, since the rename is a change as well
	if err != nil {
		return err
	}
	return newSeal(info, now, b.open, c.NoSync).write(c.path(sealName))
}

// scratch makes the scratch file, in place of one that somebody left. The caller,
// who holds the lock, removes it.
func (c Catalog) scratch() (*spill, error) {
	if err := c.remove(spillName); err != nil {
		return nil, err
	}
	s, err := newSpill(c.path(spillName))
	if err != nil {
		return nil, errors.Join(ErrUnusable, err)
	}
	return s, nil
}

func (c Catalog) remove(name string) error {
	if err := os.Remove(c.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(ErrUnusable, err)
	}
	return nil
}

// builder fills a new database. Each table is filled in the order of its keys: what
// is not found in that order waits in a sorter.
type builder struct {
	c     Catalog
	spill *spill
	later map[table]*sorter
	db    *database
	rows  int  // in the transaction
	looks int  // for rows, in the transaction
	open  bool // there are holes
}

// builderRows is how many rows go into one transaction, and builderLooks how many are
// looked for in it. Between two the file is mapped anew, so that the pages in memory
// are those of the last few rows.
const (
	builderRows  = 16_000
	builderLooks = 4 * builderRows
)

// create makes the database with its empty tables.
func (b *builder) create() error {
	f, err := os.OpenFile(b.c.path(newName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return errors.Join(ErrUnusable, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := b.begin(); err != nil {
		return err
	}
	return guard(func() error {
		for _, name := range tableNames {
			if _, err := b.db.tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *builder) begin() error {
	db, err := openDatabase(b.c.path(newName), false)
	if err != nil {
		return err
	}
	db.db.NoSync = true
	if _, err := db.begin(true); err != nil {
		db.close()
		return err
	}
	b.db, b.rows, b.looks = db, 0, 0
	return nil
}

// turn ends the transaction and begins the next.
func (b *builder) turn() error {
	if err := b.end(true); err != nil {
		return err
	}
	return b.begin()
}

// end commits. The last commit syncs what those before have written, too.
func (b *builder) end(noSync bool) error {
	db := b.db
	b.db = nil
	db.db.NoSync = noSync
	err := db.commit()
	db.close()
	return err
}

// drop ends a build that failed. What it leaves the next one removes, at the latest.
func (b *builder) drop() {
	if b.db != nil {
		b.db.close()
	}
	_ = os.Remove(b.c.path(newName)) // the caller's error tells more
}

func (b *builder) put(t table, key, value []byte) error {
	if b.rows >= builderRows {
		if err := b.turn(); err != nil {
			return err
		}
	}
	b.rows++
	return guard(func() error {
		bucket, err := b.db.bucket(t)
		if err != nil {
			return err
		}
		bucket.FillPercent = 1                     // keys come in order
		return bucket.Put(key, bytes.Clone(value)) // it must outlive the transaction
	})
}

func (b *builder) fill(ctx context.Context, src Source) error {
	pending, err := b.addRoots(ctx, src)
	if err != nil {
		return err
	}
	c := crawler{src: src, into: b, limits: b.c.Limits.WithDefaults()}
	if err := c.run(ctx, pending, newSorter); err != nil {
		return err
	}
	for _, t := range []table{subjects, parents, attested, claims, holes} {
		err := b.later[t].each(func(key, value []byte) error { return b.put(t, key, value) })
		if err != nil {
			return err
		}
		delete(b.later, t) // and its memory
	}
	return b.end(b.c.NoSync)
}

// addRoots reads index.json, and returns what it leads to.
func (b *builder) addRoots(ctx context.Context, src Source) (*sorter, error) {
	sorted := newSorter(b.spill)
	err := src.Roots(ctx, func(r Root) error {
		if r.Form != Plain {
			if err := b.later[claims].add(r.claimKey(), nil); err != nil {
				return err
			}
		}
		return sorted.add(r.key(), r.value())
	})
	if err != nil {
		return nil, err
	}
	pending := newSorter(b.spill)
	err = sorted.each(func(key, value []byte) error {
		r, err := readRoot(key, value)
		if err != nil {
			return err
		}
		if err := pending.add(r.node().key(), nil); err != nil {
			return err
		}
		return b.put(roots, key, value)
	})
	return pending, err
}

// known and the next two make the builder a sink.
func (b *builder) known(long []byte) (found bool, err error) {
	if b.looks++; b.looks > builderLooks {
		if err := b.turn(); err != nil {
			return false, err
		}
	}
	err = guard(func() error {
		bucket, err := b.db.bucket(manifests)
		if err == nil {
			found = bucket.Get(long) != nil
		}
		return err
	})
	return found, err
}

func (b *builder) add(_ node, long []byte, r record, encoded []byte) error {
	return r.rows(long, encoded, func(t table, key, value []byte) error {
		if t == manifests {
			return b.put(t, key, value)
		}
		return b.later[t].add(key, value)
	})
}

func (b *builder) hole(n node) error {
	b.open = true
	return b.later[holes].add(n.key(), nil)
}
