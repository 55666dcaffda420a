package layout

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// GCOptions say what gc removes. The zero value removes everything that nothing
// reaches and nobody is using, however young.
type GCOptions struct {
	// Grace keeps what was written, linked or renamed within this time, with all it
	// reaches: tools that hold no lease write blobs before they name them. Parts of blobs
	// that a writer who died has left are kept as long, for the next one to go on with.
	Grace time.Duration
	// Leftovers removes what other tools staged in the layout and left there: files
	// called oci-put-blob* or *.tmp, and what is in ingest/. Grace keeps young ones.
	Leftovers bool
	// DryRun removes nothing and takes no lock.
	DryRun bool
}

// A Collection says what gc removed or, as a dry run, would remove.
type Collection struct {
	DryRun      bool             `json:"dryRun"`
	Removed     Amount           `json:"removed"`     // blobs that nothing reaches
	KeptByLease Amount           `json:"keptByLease"` // those that a running writer relies on
	KeptByGrace Amount           `json:"keptByGrace"` // those that are too young, and parts of blobs that are
	Staging     Amount           `json:"staging"`     // files of writers that died; links to blobs take no bytes
	Leftovers   Amount           `json:"leftovers"`   // files that other tools left
	Digests     []content.Digest `json:"digests"`     // of the blobs removed, manifests first
}

// An Amount is a number of files and what they take.
type Amount struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

func (a *Amount) add(size int64) { a.Count, a.Bytes = a.Count+1, a.Bytes+size }

// Changed says whether anything was, or would be, removed.
func (c Collection) Changed() bool { return c.Removed.Count+c.Staging.Count+c.Leftovers.Count > 0 }

// GC removes the blobs that no entry of index.json reaches, by any edge: configs,
// layers, children of indexes, and subjects, so that what has referrers stays as long
// as they do. No layer is read. Names never change; other files in the layout, blobs
// under digests that can't be verified, and links stay.
//
// It may run beside any number of writers: those of this package hold a lease on
// what they rely on, and the grace is for others. Writers that die leave a lease that
// gc clears. A manifest that entries lead to and that is missing, but for children of
// indexes, or corrupt is ErrCorrupt, and then nothing is removed, since nobody knows
// what it reaches.
//
// Manifests go before what they refer to. If GC fails or dies midway, what it has
// not removed is unreachable as before, and the next one takes it.
func (l *Layout) GC(ctx context.Context, o GCOptions) (Collection, error) {
	if o.Grace < 0 {
		return Collection{}, content.Errorf(content.ErrInvalid, "a grace of %v is none", o.Grace)
	}
	c := &collector{l: l, o: o, report: Collection{DryRun: o.DryRun, Digests: []content.Digest{}}}
	defer c.close()
	err := c.run(ctx)
	return c.report, content.At(l.path, err)
}

type collector struct {
	l      *Layout
	o      GCOptions
	now    time.Time
	dirs   []blobFiles
	mark   *marker
	report Collection
}

func (c *collector) close() {
	for _, dir := range c.dirs {
		_ = dir.root.Close() // only a handle
	}
}

func (c *collector) run(ctx context.Context) error {
	var err error
	if c.dirs, err = openBlobFiles(c.l.path); err != nil {
		return err
	}
	c.mark = newMarker(c.l.Reader)
	known, err := c.catalogReaches(ctx)
	if err != nil || known && c.tidy() {
		return err
	}
	// Most is marked before the lock is taken. Whatever fails now, a change of names
	// in between may have been why: then it fails again.
	err = c.markEntries(ctx)
	if err != nil && (c.o.DryRun || ctx.Err() != nil) || err == nil && c.allReached(c.mark.has) && c.tidy() {
		return err
	}
	if c.o.DryRun {
		return c.sweep(ctx)
	}
	unlock, err := c.l.lease.exclude(ctx, c.l.o.LockTimeout)
	if err != nil {
		return err
	}
	if err = c.markEntries(ctx); err == nil {
		err = c.sweep(ctx)
	}
	return errors.Join(err, unlock())
}

// tidy says whether there is nothing to clear but blobs.
func (c *collector) tidy() bool {
	staging, err := c.l.lease.writersStaging() // what is wrong with it, leases says
	return err == nil && len(staging) == 0 && !c.o.Leftovers
}

// allReached says whether every blob is reached.
func (c *collector) allReached(reached func(content.Digest) bool) bool {
	for _, dir := range c.dirs {
		for _, name := range dir.names {
			if d := dir.digest(name); content.CheckDigest(d) == nil && !reached(d) {
				return false
			}
		}
	}
	return true
}

// catalogReaches says whether the catalog leads to every blob: then no manifest need
// be read. What it does not lead to is judged by reading, since it may be too short.
func (c *collector) catalogReaches(ctx context.Context) (bool, error) {
	state, err := c.l.state()
	if err != nil {
		return false, nil // that index.json is missing is said by who reads it
	}
	snap, err := c.l.catalog().Open(state, false)
	if err != nil {
		return false, context.Cause(ctx) // there is none, or not of this state
	}
	defer snap.Close()
	reach, err := snap.Reach()
	return err == nil && c.allReached(reach.Has), context.Cause(ctx)
}

// markEntries marks what the entries of index.json reach now.
func (c *collector) markEntries(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		roots, stamp, err := c.mark.entries(ctx)
		if err == nil {
			err = c.mark.run(ctx, roots)
		}
		if err == nil {
			return nil
		}
		c.mark = newMarker(c.l.Reader) // nobody knows how far it came
		if attempt == 3 || ctx.Err() != nil {
			return err
		}
		// Another tool may have changed names, and removed what they reached.
		info, statErr := os.Stat(filepath.Join(c.l.path, "index.json"))
		if statErr != nil || durable.StampOf(info) == stamp {
			return err
		}
	}
}

// exclude takes the lock under which index.json changes, and keeps out writers that
// can't hold a lease by links. The one is never waited for with the other held, since
// writers take them in either order.
func (h *leaseHolder) exclude(ctx context.Context, timeout time.Duration) (func() error, error) {
	start := time.Now()
	for {
		unlock, err := h.lock(ctx, timeout)
		if err != nil {
			return nil, err
		}
		path, err := h.ownFile("writers")
		var writers *durable.FileLock
		if err == nil {
			writers, err = durable.TryLock(path, false)
		}
		if err == nil {
			return func() error { return errors.Join(writers.Unlock(), unlock()) }, nil
		}
		err = errors.Join(err, unlock())
		if !errors.Is(err, content.ErrBusy) || timeout >= 0 && time.Since(start) > timeout {
			return nil, err
		}
		if err := pause(ctx, 1); err != nil {
			return nil, err
		}
	}
}
