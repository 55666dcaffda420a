package sync

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/retain"
)

// prune takes away what the rules of entries let go, in their targets. An entry of which
// anything failed prunes nothing.
func (r *runner) prune(ctx context.Context, ob *observer, entries []*Entry, steps []Step) error {
	for _, e := range entries {
		if e.rules.prune == nil || r.stopped() {
			continue
		}
		var places []Place
		broken := false
		for _, s := range steps {
			if s.Entry == e {
				broken = broken || s.Action == ActionFail
				if !slices.Contains(places, s.Target.Place) {
					places = append(places, s.Target.Place)
				}
			}
		}
		if broken {
			r.o.warn(content.At(e.label(), content.Errorf(content.ErrConflict, "nothing is pruned, since something failed")))
			continue
		}
		for _, p := range places {
			if err := r.prunePlace(ctx, ob, e, p, steps); err != nil {
				if ctx.Err() != nil {
					return err
				}
				r.failed = true
				r.report.add(Step{Job: Job{Entry: e, Source: e.source, Target: Point{Place: p}}, Action: ActionFail, Reason: "prune: " + err.Error(), Err: err})
			}
		}
	}
	return nil
}

func (r *runner) prunePlace(ctx context.Context, ob *observer, e *Entry, p Place, steps []Step) error {
	rules := *e.rules.prune
	rules.Now = time.Now()
	if r.o.Check {
		return r.foresee(ctx, e, p, rules, steps)
	}
	return r.pruneLayout(ctx, e, p, rules)
}

// pruneLayout takes names of a layout away.
func (r *runner) pruneLayout(ctx context.Context, e *Entry, p Place, rules retain.Rules) (err error) {
	l, err := layout.Open(p.Layout, r.o.Layout)
	if errors.Is(err, content.ErrNotFound) {
		return nil // nothing was copied
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	done, err := retain.Prune(ctx, l, retain.Options{Rules: rules})
	if err != nil {
		return err
	}
	for _, gone := range done.Pruned {
		r.pruned(e, p, gone.Name, gone.Digest, gone.Reason)
	}
	return nil
}

func (r *runner) pruned(e *Entry, p Place, name string, d content.Digest, reason string) {
	target := p.named(name)
	if name == "" {
		target.Digest = d
	}
	r.report.Pruned = append(r.report.Pruned, Pruned{Entry: e.Name, Target: target.String(), Digest: d, Reason: reason})
	r.report.Totals.Pruned++
}

// foresee says what would go if the steps were done: by the names that the target has,
// and those that it would get, of which nobody knows yet when they were made.
func (r *runner) foresee(ctx context.Context, e *Entry, p Place, rules retain.Rules, steps []Step) (err error) {
	var items []retain.Item
	var digests []content.Digest
	names := map[string]bool{}
	reader, err := layout.OpenReader(p.Layout, r.o.Layout)
	if err != nil && !errors.Is(err, content.ErrNotFound) {
		return err
	}
	if err == nil {
		defer func() { err = errors.Join(err, reader.Close()) }()
		for l, err := range reader.List(ctx, layout.ListOptions{Details: rules.NeedTimes(), Brief: true}) {
			if err != nil {
				return err
			}
			item := retain.Item{Name: l.Name}
			if l.Details != nil {
				item.Created, _ = time.Parse(time.RFC3339Nano, l.Created) // nobody knows, then
			}
			items, digests = append(items, item), append(digests, l.Digest)
			names[key(l.Name)] = true
		}
	}
	for _, s := range steps {
		if s.Target.Place == p && s.Action == ActionCopy && !names[key(s.Target.Name)] {
			names[key(s.Target.Name)] = true
			items, digests = append(items, retain.Item{Name: s.Target.Name}), append(digests, s.From.wanted())
		}
	}
	for i, reason := range rules.Choose(items) {
		if reason != "" {
			r.pruned(e, p, items[i].Name, digests[i], reason)
		}
	}
	return nil
}
