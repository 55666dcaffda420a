package layout

import (
	"context"
	"errors"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// fewManifests is how many manifests are rather read each time than remembered.
const fewManifests = 64

// An asker asks the catalog, or, where there can be none, reads every manifest once.
// It is not safe for concurrent use, and must be closed.
type asker struct {
	r     *Reader
	snap  *catalog.Snapshot
	since time.Time
	own   *catalog.Facts // without a catalog
}

// longAsk is how long a snapshot is kept. It keeps writers out of the catalog.
const longAsk = 50 * time.Millisecond

func (r *Reader) asker() *asker { return &asker{r: r} }

func (a *asker) close() {
	if a.snap != nil {
		a.snap.Close()
		a.snap = nil
	}
}

// facts gives what there is to know, as of now or a moment ago.
func (a *asker) facts(ctx context.Context) (catalog.Facts, error) {
	if a.own != nil {
		return *a.own, nil
	}
	if a.snap != nil && time.Since(a.since) < longAsk {
		return a.snap.Facts, nil
	}
	a.close()
	for attempt := 0; attempt < 4; attempt++ {
		err := a.open(ctx)
		switch {
		case err == nil && a.own != nil:
			return *a.own, nil
		case err == nil:
			return a.snap.Facts, nil
		case errors.Is(err, content.ErrCorrupt): // torn, or damaged for good
			if err := pause(ctx, attempt); err != nil {
				return catalog.Facts{}, err
			}
		case !errors.Is(err, catalog.ErrStale):
			attempt = 4
		}
		if ctx.Err() != nil {
			return catalog.Facts{}, context.Cause(ctx)
		}
	}
	return a.compute(ctx, 0)
}

// pause waits until a file that another tool writes may be whole.
func pause(ctx context.Context, attempt int) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Duration(attempt+1) * 10 * time.Millisecond):
		return nil
	}
}

// open opens the catalog, refreshed where that is needed. ErrStale says that others
// were in between.
func (a *asker) open(ctx context.Context) error {
	if a.r.archive {
		return catalog.ErrUnusable
	}
	state, err := a.r.state()
	if err != nil {
		return err
	}
	c := a.r.catalog()
	if !c.Exists() {
		if _, err := a.compute(ctx, fewManifests); !errors.Is(err, catalog.ErrLarge) {
			return err
		}
		h := leaseHolder{root: a.r.path}
		if _, err := h.ownDir(); err != nil {
			return errors.Join(catalog.ErrUnusable, err)
		}
	}
	a.since = time.Now()
	a.snap, err = c.Open(state, false)
	if !errors.Is(err, catalog.ErrStale) {
		return err
	}
	if err := c.Refresh(ctx, state, a.r.crawled()); err != nil {
		return err
	}
	a.since = time.Now()
	a.snap, err = c.Open(state, true)
	return err
}

// compute reads every manifest; more than max, unless that is 0, is ErrLarge.
func (a *asker) compute(ctx context.Context, max int) (catalog.Facts, error) {
	for attempt := 0; ; attempt++ {
		facts, err := catalog.Compute(ctx, a.r.crawled(), max, a.r.o.Limits)
		if err == nil {
			a.own = &facts
			return facts, nil
		}
		if attempt == 3 || a.r.archive || !errors.Is(err, content.ErrCorrupt) {
			return catalog.Facts{}, err
		}
		if err := pause(ctx, attempt); err != nil {
			return catalog.Facts{}, err
		}
	}
}
