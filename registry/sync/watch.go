package sync

import (
	"context"
	"slices"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// Watch does entries when they are due, until ctx ends, and calls each after every run.
// At once it copies names that targets lack, and no others; then it does each entry at
// its times. Entries that are due together, or became due during a run, are done in one.
// An entry with neither interval nor schedule is left out with a warning; if none has
// one, that is ErrInvalid. An error of each ends it, and so does a failure with
// Options.AbortOnError.
func Watch(ctx context.Context, c *Config, s *registry.Session, o Options, each func(Report) error) error {
	entries, err := c.pick(o.Only)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e *Entry) bool {
		if e.schedule == nil {
			o.warn(content.At(e.label(), content.Errorf(content.ErrInvalid, "it has neither interval nor schedule, and is left out")))
		}
		return e.schedule == nil
	})
	if len(entries) == 0 {
		return content.Errorf(content.ErrInvalid, "no entry has an interval or a schedule, so there is nothing to watch")
	}
	now := time.Now()
	next := map[*Entry]time.Time{}
	for _, e := range entries {
		next[e] = e.schedule.Next(now)
	}
	first := o
	first.Missing = true
	for due := entries; ; first = o {
		report, err := run(ctx, c, s, first, due)
		if err != nil {
			return err
		}
		if err := each(report); err != nil || o.AbortOnError && report.Totals.Failed > 0 {
			return err
		}
		if due, err = wait(ctx, entries, next); err != nil {
			return err
		}
	}
}

// wait waits until entries are due, gives them, and notes when they are due again.
func wait(ctx context.Context, entries []*Entry, next map[*Entry]time.Time) ([]*Entry, error) {
	soonest := next[entries[0]]
	for _, at := range next {
		if at.Before(soonest) {
			soonest = at
		}
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Until(soonest)):
	}
	now := time.Now()
	var due []*Entry
	for _, e := range entries {
		if !next[e].After(now) {
			due = append(due, e)
			next[e] = e.schedule.Next(now)
		}
	}
	return due, nil
}
