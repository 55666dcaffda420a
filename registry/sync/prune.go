package sync

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
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
	if !r.o.Check && p.Layout != "" {
		return r.pruneLayout(ctx, e, p, rules)
	}
	items, err := r.items(ctx, ob, p, rules)
	if err != nil {
		return err
	}
	if r.o.Check {
		items = append(items, newcomers(p, items, steps)...)
	}
	for i, reason := range rules.Choose(items) {
		if reason == "" {
			continue
		}
		at := p.named(items[i].Name)
		if r.o.Check {
			r.pruned(e, at, ob.target(ctx, at).Digest, reason)
			continue
		}
		gone, err := registry.Untag(ctx, r.s, []registry.Reference{at.reference()})
		if err != nil {
			return err
		}
		r.pruned(e, at, gone[0].Old, reason)
	}
	return nil
}

// items are the names that a place has now, as rules judge them.
func (r *runner) items(ctx context.Context, ob *observer, p Place, rules retain.Rules) ([]retain.Item, error) {
	if p.Layout != "" {
		return r.itemsOfLayout(ctx, p, rules)
	}
	repo, err := ob.s.Open(ctx, Point{Place: p}.reference())
	if err != nil {
		return nil, err
	}
	tags, err := repo.Tags(ctx)
	if errors.Is(err, content.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tags = slices.DeleteFunc(tags, layout.IsReferrerTag)
	made := map[string]time.Time{}
	if rules.NeedTimes() {
		if made, err = ob.times(ctx, p, tags); err != nil {
			return nil, err
		}
	}
	var items []retain.Item
	for _, tag := range tags {
		items = append(items, retain.Item{Name: tag, Created: made[tag]})
	}
	return items, nil
}

func (r *runner) itemsOfLayout(ctx context.Context, p Place, rules retain.Rules) (items []retain.Item, err error) {
	reader, err := layout.OpenReader(p.Layout, r.o.Layout)
	if errors.Is(err, content.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	for l, err := range reader.List(ctx, layout.ListOptions{Details: rules.NeedTimes(), Brief: true}) {
		if err != nil {
			return nil, err
		}
		item := retain.Item{Name: l.Name}
		if l.Details != nil {
			item.Created, _ = time.Parse(time.RFC3339Nano, l.Created) // nobody knows, then
		}
		items = append(items, item)
	}
	return items, nil
}

// newcomers are the names that a place would get; nobody knows yet when they were made.
func newcomers(p Place, items []retain.Item, steps []Step) (more []retain.Item) {
	names := map[string]bool{}
	for _, item := range items {
		names[key(item.Name)] = true
	}
	for _, s := range steps {
		if name := s.Target.Name; s.Target.Place == p && s.Action == ActionCopy && !names[key(name)] {
			names[key(name)] = true
			more = append(more, retain.Item{Name: name})
		}
	}
	return more
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
		at := p.named(gone.Name)
		if gone.Name == "" {
			at.Digest = gone.Digest
		}
		r.pruned(e, at, gone.Digest, gone.Reason)
	}
	return nil
}

func (r *runner) pruned(e *Entry, at Point, d content.Digest, reason string) {
	r.report.Pruned = append(r.report.Pruned, Pruned{Entry: e.Name, Target: at.String(), Digest: d, Reason: reason})
	r.report.Totals.Pruned++
}
