package sync

import (
	"context"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// costOfImage is about how many requests an image takes that a registry counts: an index
// and some of its children.
const costOfImage = 4

// pace says how many of the steps may be done together now, at least one. While their
// source lets fewer requests through than ratelimit.min, it waits for ratelimit.retry,
// again and again. Steps without a limit, or whose source names none, are done at once.
func (r *runner) pace(ctx context.Context, ob *observer, steps []*Step) int {
	limit, source := steps[0].Entry.RateLimit, steps[0].Source
	if limit.Min == 0 || source.Layout != "" {
		return len(steps)
	}
	repo, err := ob.s.Open(ctx, source.reference())
	if err != nil {
		return len(steps) // as each will find
	}
	for {
		left, known := repo.Remaining()
		if !known {
			return len(steps)
		}
		if left >= limit.Min {
			return min(len(steps), max(1, (left-limit.Min)/costOfImage))
		}
		r.o.warn(content.At(source.Host, content.Errorf(content.ErrBusy, "it lets only %d more requests through, fewer than %d: waiting for %s", left, limit.Min, limit.Retry)))
		select {
		case <-ctx.Done():
			return len(steps)
		case <-time.After(limit.Retry.Duration):
		}
		head(ctx, ob.s.Open, source) // it says then what is left
	}
}
