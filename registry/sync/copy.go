package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		for steps := loads[key]; len(steps) > 0; {
			if r.stopped() || ctx.Err() != nil {
				skip(steps)
				break
			}
			n := r.pace(ctx, ob, steps)
			if key.layout == "" {
				r.toRegistries(ctx, ob, steps[:n])
			} else {
				r.toLayout(ctx, ob, key, steps[:n])
			}
			steps = steps[n:]
		}
	}
}

// skip leaves steps out that nobody begins any more.
func skip(steps []*Step) {
	for _, s := range steps {
		s.Action, s.Reason = ActionSkip, "not done after a failure"
	}
}

// A loadKey is what steps have in common that are done together: a layout that they
// write to, or "" for registries, from where they read, what goes along, and a limit.
type loadKey struct {
	layout, from, along, limited string
}

func newLoadKey(s *Step) loadKey {
	e := s.Entry
	var limited string
	if e.RateLimit.Min > 0 && s.Source.Layout == "" {
		limited = fmt.Sprint(s.Source.Host, e.RateLimit)
	}
	if s.Target.Layout == "" {
		return loadKey{limited: limited}
	}
	along, _ := json.Marshal([]any{isSet(e.Referrers), isSet(e.DigestTags), isSet(e.ForceRecursive), e.ReferrerFilters, e.platforms})
	return loadKey{s.Target.Layout, s.Source.Layout, string(along), limited}
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
	for _, s := range steps {
		r.backup(ctx, ob, s)
	}
	err = r.bring(ctx, ob, dst, steps)
	if err != nil && len(steps) > 1 && ctx.Err() == nil && !ofAll(err) {
		for _, s := range steps {
			if err := r.bring(ctx, ob, dst, []*Step{s}); err != nil {
				r.fail(s, err)
			}
		}
	} else if err != nil {
		for _, s := range steps {
			r.fail(s, err)
		}
	}
	if err := dst.Close(); err != nil {
		r.o.warn(err)
	}
}

// ofAll says whether an error would be the same for each image alone, after as long a
// wait.
func ofAll(err error) bool {
	return errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrRateLimited) || errors.Is(err, content.ErrBusy)
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
		Platforms: e.platforms, NoReferrers: e.alone(), Belongings: e.along(), VerifyExisting: isSet(e.ForceRecursive),
		MaxReferrers: len(wants) * registry.DefaultMaxReferrers, MaxReferrerBytes: int64(len(wants)) * registry.DefaultMaxReferrerBytes,
	})
	if err != nil {
		return err
	}
	for i, s := range steps {
		s.Bytes = done.Images[i].Bytes
	}
	r.report.moved(done.Blobs, done.Bytes, done.Referrers)
	return nil
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
				skip([]*Step{s})
				return nil
			}
			r.backup(ctx, ob, s)
			from := s.Source
			from.Digest = s.From.wanted()
			done, err := r.send(ctx, ob, from, s.Target, registry.PushOptions{Platforms: s.Entry.platforms, NoReferrers: s.Entry.alone(), Belongings: s.Entry.along()})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				r.fail(s, err)
				return nil
			}
			s.Bytes = done.Bytes
			r.report.moved(done.Blobs, done.Bytes, done.Referrers)
			return nil
		})
	}
	_ = g.Wait() // which has no error to tell
}

// send copies one image, by its digest, to a registry.
func (r *runner) send(ctx context.Context, ob *observer, from, to Point, o registry.PushOptions) (registry.PushReport, error) {
	if from.Layout == "" {
		return registry.Copy(ctx, r.s, from.reference(), to.reference(), o)
	}
	shelf, err := ob.shelf(ctx, from.Layout)
	if err != nil {
		return registry.PushReport{}, err
	}
	return registry.Push(ctx, r.s, shelf.reader, from.inLayout(), to.reference(), o)
}
