package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// A Catalog is a catalog in the files of a directory, which is the layout's own
// state. Its methods may be called from many processes at once.
type Catalog struct {
	Dir    string
	NoSync bool // write without fsync
	Limits content.Limits
}

// The files.
const (
	fileName  = "catalog"       // the database
	sealName  = "catalog.seal"  // what it is good for
	lockName  = "catalog.lock"  // held by whoever writes
	newName   = "catalog.new"   // the next database, while it is built
	spillName = "catalog.spill" // scratch of that
)

// patience is how long anyone waits for others who use the file.
const patience = 200 * time.Millisecond

// A Snapshot is the catalog as it is now. It keeps writers out: close it soon.
type Snapshot struct {
	Facts
	db *database
}

// Open opens the catalog for asking, if it is whole for the state. ErrStale says
// that Refresh would help, ErrUnusable that nothing would.
//
// refreshed is for who has just called Refresh with the same state: then it does
// not matter that what happens from now on might not show.
func (c Catalog) Open(now State, refreshed bool) (*Snapshot, error) {
	if err := checkDir(c.Dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrStale
		}
		return nil, errors.Join(ErrUnusable, err)
	}
	db, sealed, err := c.openSealed(true)
	if err != nil {
		return nil, err
	}
	if refreshed {
		sealed.Racy, sealed.RacyDir = false, false
	}
	if !sealed.indexFresh(now) || !sealed.blobsFresh(now) {
		db.close()
		return nil, ErrStale
	}
	t, err := db.begin(false)
	if err != nil {
		db.close()
		return nil, errors.Join(ErrStale, err)
	}
	return &Snapshot{Facts{t}, db}, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() { s.db.close() }

// openSealed opens the database and proves its seal. A file that is absent, not
// ours or not whole is ErrStale.
func (c Catalog) openSealed(readOnly bool) (*database, seal, error) {
	db, err := openDatabase(c.path(fileName), readOnly)
	if err != nil {
		return nil, seal{}, err
	}
	sealed, err := readSeal(c.path(sealName))
	if err == nil {
		var info os.FileInfo
		if info, err = db.file.Stat(); err == nil && !sealed.holds(info) {
			err = ErrDamaged
		}
	}
	if err != nil {
		db.close()
		return nil, seal{}, errors.Join(ErrStale, err)
	}
	return db, sealed, nil
}

// Exists says whether there is a file that may be a catalog.
func (c Catalog) Exists() bool {
	info, err := os.Lstat(c.path(fileName))
	return err == nil && info.Mode().IsRegular()
}

// Discard makes the catalog one that must be built anew.
func (c Catalog) Discard() { _ = os.Remove(c.path(sealName)) }

// database is an open file of bbolt. Whatever is wrong with the file is an error:
// bbolt panics on some of it, and reading a map may fault.
type database struct {
	db   *bbolt.DB
	file *os.File
	tx   *bbolt.Tx
}

// openDatabase opens the file path, which must be there. A file that is busy is
// ErrUnusable; one that is wrong in any way is ErrStale.
func openDatabase(path string, readOnly bool) (*database, error) {
	d := &database{}
	o := *bbolt.DefaultOptions
	o.ReadOnly, o.Timeout, o.NoStatistics = readOnly, patience, true
	o.OpenFile = func(path string, flag int, _ os.FileMode) (_ *os.File, err error) {
		d.file, err = openOwn(path, flag&^os.O_CREATE)
		return d.file, err
	}
	err := guard(func() (err error) {
		d.db, err = bbolt.Open(path, 0o600, &o)
		return err
	})
	if err == nil {
		return d, nil
	}
	if d.file != nil {
		_ = d.file.Close() // bbolt may have; its lock must go in any case
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, errors.Join(ErrUnusable, err)
	}
	return nil, errors.Join(ErrStale, err)
}

// openOwn opens a regular file of the effective user. A link in its place is not
// followed: what was opened must be what stood there.
func openOwn(path string, flag int) (*os.File, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() || !durable.SameOwner(before) {
		return nil, content.At(path, content.Errorf(content.ErrRefused, "is not a file of this user"))
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !os.SameFile(before, info) {
		_ = f.Close() // not what it was
		return nil, content.At(path, content.Errorf(content.ErrRefused, "changed while it was opened"))
	}
	return f, nil
}

// guard runs fn, and makes errors of its panics and of faults in mapped memory.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return fn()
}

func (d *database) close() {
	_ = guard(func() error {
		if d.tx != nil {
			_ = d.tx.Rollback() // a no-op after Commit
		}
		return d.db.Close()
	})
}

// begin starts the transaction of the database.
func (d *database) begin(writable bool) (*database, error) {
	return d, guard(func() (err error) {
		d.tx, err = d.db.Begin(writable)
		return err
	})
}

func (d *database) commit() error {
	return guard(func() error { return d.tx.Commit() })
}

func (d *database) bucket(t table) (*bbolt.Bucket, error) {
	b := d.tx.Bucket(tableNames[t])
	if b == nil {
		return nil, ErrDamaged
	}
	return b, nil
}

func (d *database) get(t table, key []byte) (value []byte, err error) {
	err = guard(func() error {
		b, err := d.bucket(t)
		if err == nil {
			value = append([]byte(nil), b.Get(key)...)
		}
		return err
	})
	if len(value) == 0 {
		value = nil
	}
	return value, err
}

func (d *database) scan(t table, prefix []byte, fn func(key, value []byte) error) error {
	return guard(func() error {
		b, err := d.bucket(t)
		if err != nil {
			return err
		}
		c := b.Cursor()
		for k, v := c.Seek(prefix); k != nil && len(k) >= len(prefix) && string(k[:len(prefix)]) == string(prefix); k, v = c.Next() {
			if err := fn(k, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// tableRow is good as long as nothing is written.
type tableRow struct{ key, value []byte }

// rows yields the rows of a table in order. An error ends it.
func (d *database) rows(t table) iter.Seq2[tableRow, error] {
	return func(yield func(tableRow, error) bool) {
		err := d.scan(t, nil, func(key, value []byte) error {
			if !yield(tableRow{key, value}, nil) {
				return errFound
			}
			return nil
		})
		if err != nil && !errors.Is(err, errFound) {
			yield(tableRow{}, err)
		}
	}
}

func (d *database) put(t table, key, value []byte) error {
	return guard(func() error {
		b, err := d.bucket(t)
		if err != nil {
			return err
		}
		return b.Put(key, value)
	})
}

func (d *database) delete(t table, key []byte) error {
	return guard(func() error {
		b, err := d.bucket(t)
		if err != nil {
			return err
		}
		return b.Delete(key)
	})
}

// has says whether any row begins with prefix.
func (d *database) has(t table, prefix []byte) (bool, error) {
	err := d.scan(t, prefix, func(_, _ []byte) error { return errFound })
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

var errFound = errors.New("found")
