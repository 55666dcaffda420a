package sync

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// defaultParallel is how many questions are asked at once, and images copied to
// registries.
const defaultParallel = 8

// Options say what a run does. The zero value does all that the file says, once.
type Options struct {
	// Layout says how layouts are opened.
	Layout layout.Options
	// Check changes nothing, and reports what would be done. What an entry would read of
	// what an earlier one would write is not foreseen, nor what refers to children of an
	// index that the target has, and to what refers to it.
	Check bool
	// Missing copies only names that the target does not have.
	Missing bool
	// AbortOnError begins nothing more after a failure.
	AbortOnError bool
	// Only are the entries that are done, by name, source or target; none means all.
	Only []string
	// Parallel is how many questions are asked at once, and images copied to registries;
	// 0 is what the file says, or eight.
	Parallel int
	// Lock, if it is not nil, is what sources are taken to be: nothing else is copied, and
	// no tags are listed.
	Lock *Lock
	// Env is what the templates of backups see.
	Env Environment
	// Warn is told what is odd but no error; nil drops it. It may be called from several
	// goroutines at once.
	Warn func(error)
}

func (o Options) warn(err error) {
	if o.Warn != nil {
		o.Warn(err)
	}
}

// pick finds the entries that o.Only names.
func (c *Config) pick(only []string) ([]*Entry, error) {
	if len(only) == 0 {
		return c.Sync, nil
	}
	var picked []*Entry
	used := map[string]bool{}
	for _, e := range c.Sync {
		taken := false
		for _, name := range only {
			if name == e.Name || name == e.Source || name == e.Target {
				used[name], taken = true, true
			}
		}
		if taken {
			picked = append(picked, e)
		}
	}
	for _, name := range only {
		if !used[name] {
			return nil, content.Errorf(content.ErrNotFound, "no entry has the name, source or target %q", name)
		}
	}
	return picked, nil
}

// Run does what a configuration says: it looks at all sources and targets, plans, and
// copies. What fails is in the report, and stops nothing else; an error is returned if
// ctx ends, or if nothing was begun. What was done by then is reported either way.
//
// To a layout, images that are alike in what belongs to them go in one batch, their names
// change in one transaction, and what several have is fetched once. If that fails each is
// tried alone.
func Run(ctx context.Context, c *Config, s *registry.Session, o Options) (Report, error) {
	entries, err := c.pick(o.Only)
	if err != nil {
		return Report{}, err
	}
	return run(ctx, c, s, o, entries)
}

// run does some entries.
func run(ctx context.Context, c *Config, s *registry.Session, o Options, entries []*Entry) (Report, error) {
	r := &runner{s: s, o: o, report: Report{Check: o.Check, Images: []Result{}, Pruned: []Pruned{}}}
	r.limit = cmp.Or(o.Parallel, c.Defaults.Parallel, defaultParallel)
	for _, wave := range waves(entries) {
		if err := r.wave(ctx, wave); err != nil {
			return r.report, err
		}
		if r.stopped() {
			break
		}
	}
	return r.report, nil
}

type runner struct {
	s      *registry.Session
	o      Options
	limit  int
	failed bool
	report Report
}

// stopped says whether nothing more is begun.
func (r *runner) stopped() bool { return r.o.AbortOnError && r.failed }

// wave does entries that do not read what others of them write.
func (r *runner) wave(ctx context.Context, entries []*Entry) (err error) {
	mode := Mode{Missing: r.o.Missing, Env: r.o.Env}
	ob := newObserver(r.s, r.o.Layout, r.limit, r.o.Lock, mode)
	defer func() { err = errors.Join(err, ob.close()) }()
	found := make([][]Job, len(entries))
	err = ob.each(ctx, len(entries), func(ctx context.Context, i int) error {
		jobs, err := ob.jobs(ctx, entries[i])
		if err != nil {
			jobs = []Job{{Entry: entries[i], Source: entries[i].source, Target: entries[i].target, From: Seen{Err: err}}}
		}
		found[i] = jobs
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	jobs := slices.Concat(found...)
	if err := ob.look(ctx, jobs); err != nil {
		return err
	}
	steps := Plan(jobs, mode)
	r.failed = r.failed || slices.ContainsFunc(steps, func(s Step) bool { return s.Action == ActionFail })
	if !r.o.Check {
		r.copy(ctx, ob, steps)
	} else if err := r.foreseen(ctx, ob, steps); err != nil {
		return err
	}
	for _, s := range steps {
		r.report.add(s)
	}
	r.report.listed = append(r.report.listed, ob.listed...)
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.prune(ctx, ob, entries, steps)
}
