package sync

import (
	"context"
	"encoding/json"
	"errors"
	gosync "sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// copy does the steps that are to be done; one that fails becomes one of ActionFail.
func (r *runner) copy(ctx context.Context, ob *observer, steps []Step) {
	loads := map[loadKey][]*Step{}
	var order []loadKey
	for i := range steps {
		if !steps[i].Action.works() {
			continue
		}
		key := newLoadKey(&steps[i])
		if loads[key] == nil {
			order = append(order, key)
		}
		loads[key] = append(loads[key], &steps[i])
	}
	for _, key := range order {
		if r.stopped() || ctx.Err() != nil {
			for _, s := range loads[key] {
				s.Action, s.Reason = ActionSkip, "not done after a failure"
			}
			continue
		}
		if key.layout == "" {
			r.toRegistries(ctx, ob, loads[key])
		} else {
			r.toLayout(ctx, ob, key, loads[key])
		}
	}
}

// A loadKey is what steps have in common that are done together: a layout that they
// write to, or "" for registries, from where they read, and what goes along.
type loadKey struct {
	layout, from, along string
}

func newLoadKey(s *Step) loadKey {
	if s.Target.Layout == "" {
		return loadKey{}
	}
	e := s.Entry
	along, _ := json.Marshal([]any{isSet(e.Referrers), isSet(e.DigestTags), e.ReferrerFilters, e.platforms})
	return loadKey{s.Target.Layout, s.Source.Layout, string(along)}
}

// fail makes a step one that failed.
func (r *runner) fail(s *Step, err error) {
	s.fail(err)
	r.failed = true
}

// toLayout brings images into one layout.
func (r *runner) toLayout(ctx context.Context, ob *observer, key loadKey, steps []*Step) {
	dst, err := layout.Init(ctx, key.layout, r.o.Layout)
	if err != nil {
		for _, s := range steps {
			r.fail(s, err)
		}
		return
	}
	var ready []*Step
	for _, s := range steps {
		r.backup(ctx, ob, s)
		ready = append(ready, s)
	}
	err = r.bring(ctx, ob, dst, ready)
	if err != nil && len(ready) > 1 && ctx.Err() == nil {
		for _, s := range ready {
			if err := r.bring(ctx, ob, dst, []*Step{s}); err != nil {
				r.fail(s, err)
			}
		}
	} else if err != nil {
		for _, s := range ready {
			r.fail(s, err)
		}
	}
	if err := dst.Close(); err != nil {
		r.o.warn(err)
	}
}

// bring puts images from one kind of source into a layout, all or none.
func (r *runner) bring(ctx context.Context, ob *observer, dst *layout.Layout, steps []*Step) error {
	if steps[0].Source.Layout != "" {
		return r.transfer(ctx, ob, dst, steps)
	}
	e := steps[0].Entry
	wants := make([]registry.Want, len(steps))
	for i, s := range steps {
		p := s.Source
		p.Digest = s.From.wanted()
		wants[i] = registry.Want{From: p.reference(), Name: s.Target.Name}
		if s.From.Child == "" {
			if found := ob.found[s.Source]; found != nil && found.Digest == s.From.Digest {
				wants[i].Found = found
			}
		}
	}
	done, err := registry.PullAll(ctx, r.s, wants, dst, registry.PullOptions{
		Platforms: e.platforms, NoReferrers: e.alone(),
	})
	if err == nil {
		r.report.moved(done.Blobs, done.Bytes, done.Referrers)
	}
	return err
}

// alone says whether nothing that refers to an image goes along.
func (e *Entry) alone() bool { return !isSet(e.Referrers) && !isSet(e.DigestTags) }

// transfer copies images of a layout to a layout: in one go those that keep their names,
// each other one by itself.
func (r *runner) transfer(ctx context.Context, ob *observer, dst *layout.Layout, steps []*Step) error {
	o := layout.TransferOptions{CopyOptions: layout.CopyOptions{Platforms: steps[0].Entry.platforms}, NoReferrers: steps[0].Entry.alone()}
	var together []layout.Source
	for _, s := range steps {
		shelf, err := ob.shelf(ctx, s.Source.Layout)
		if err != nil {
			return err
		}
		src := layout.Source{Reader: shelf.reader, Ref: layout.Reference{Digest: s.From.wanted()}}
		if s.Source.Digest == "" && s.From.Child == "" {
			name, _, err := shelf.find(s.Source)
			if err != nil {
				return err
			}
			src.Ref.Name = name
			if key(name) == key(s.Target.Name) {
				together = append(together, src)
				continue
			}
		}
		o := o
		o.Name = s.Target.Name
		if err := r.transferred(layout.Transfer(ctx, dst, []layout.Source{src}, o)); err != nil {
			return err
		}
	}
	if len(together) == 0 {
		return nil
	}
	return r.transferred(layout.Transfer(ctx, dst, together, o))
}

func (r *runner) transferred(done layout.TransferReport, err error) error {
	if err == nil {
		r.report.moved(done.Blobs, done.Bytes, done.Referrers)
	}
	return err
}

// toRegistries sends images to registries, several at once.
func (r *runner) toRegistries(ctx context.Context, ob *observer, steps []*Step) {
	var mu gosync.Mutex
	g := errgroup.Group{}
	g.SetLimit(r.limit)
	for _, s := range steps {
		g.Go(func() error {
			mu.Lock()
			stop := r.stopped()
			mu.Unlock()
			if stop {
				s.Action, s.Reason = ActionSkip, "not done after a failure"
				return nil
			}
			r.backup(ctx, ob, s)
			from := s.Source
			from.Digest = s.From.wanted()
			done, err := r.send(ctx, ob, from, s.Target, registry.PushOptions{Platforms: s.Entry.platforms, NoReferrers: s.Entry.alone()})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.fail(s, err)
				return nil
			}
			r.report.moved(done.Blobs, done.Bytes, done.Referrers)
			return nil
		})
	}
	_ = g.Wait() // which has no error to tell
}

// send copies one image, by its digest, to a registry.
func (r *runner) send(ctx context.Context, ob *observer, from, to Point, o registry.PushOptions) (registry.PushReport, error) {
	if from.Layout == "" {
		return registry.PushReport{}, content.Errorf(content.ErrUnsupported, "nothing is copied from a registry to a registry")
	}
	shelf, err := ob.shelf(ctx, from.Layout)
	if err != nil {
		return registry.PushReport{}, err
	}
	return registry.Push(ctx, r.s, shelf.reader, from.inLayout(), to.reference(), o)
}

// backup gives what a target has a second name. That it can't be done is no reason to
// leave the target as it is: it may be broken.
func (r *runner) backup(ctx context.Context, ob *observer, s *Step) {
	if s.Backup == nil {
		return
	}
	old := s.Target
	old.Digest = s.Have.Digest
	if err := r.copyAlone(ctx, ob, old, *s.Backup); err != nil {
		r.o.warn(content.At(s.Target.String(), content.Errorf(content.ErrConflict, "it has no backup: %w", err)))
	}
}

// copyAlone copies one image, by its digest, with nothing that refers to it.
func (r *runner) copyAlone(ctx context.Context, ob *observer, from, to Point) (err error) {
	if to.Layout == "" {
		_, err := r.send(ctx, ob, from, to, registry.PushOptions{NoReferrers: true})
		return err
	}
	dst, err := layout.Init(ctx, to.Layout, r.o.Layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	switch from.Layout {
	case "":
		_, err = registry.Pull(ctx, r.s, from.reference(), dst, registry.PullOptions{Name: to.Name, NoReferrers: true})
	case to.Layout:
		_, err = dst.TagNames(ctx, from.inLayout(), []string{to.Name}, layout.TagOptions{})
	default:
		var shelf *shelf
		if shelf, err = ob.shelf(ctx, from.Layout); err == nil {
			_, err = layout.Transfer(ctx, dst, []layout.Source{{Reader: shelf.reader, Ref: from.inLayout()}}, layout.TransferOptions{Name: to.Name, NoReferrers: true})
		}
	}
	return err
}
