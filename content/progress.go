package content

import (
	"context"
	"io"
)

// An Event says how far one piece of work has come.
type Event struct {
	Op       string // what is done: "import", "copy", "export", "verify"
	Name     string // what it is done to: a short digest, a member's name
	Total    int64  // bytes in all; -1 where unknown
	Done     int64  // bytes so far
	Finished bool   // no event of this Op and Name follows
}

// Progress takes events. Report is called by many goroutines at once, often, and
// must return soon.
type Progress interface {
	Report(Event)
}

type progressKey struct{}

// WithProgress gives the work done under the returned context somewhere to report.
func WithProgress(ctx context.Context, p Progress) context.Context {
	return context.WithValue(ctx, progressKey{}, p)
}

// ProgressFrom returns the context's Progress, or one that drops every event. It
// is never nil.
func ProgressFrom(ctx context.Context) Progress {
	if p, ok := ctx.Value(progressKey{}).(Progress); ok {
		return p
	}
	return silent{}
}

type silent struct{}

func (silent) Report(Event) {}

// Track returns r with its reads reported as the work op on name, of total bytes
// (-1 if unknown). It also ends the stream when ctx is cancelled.
func Track(ctx context.Context, r io.Reader, op, name string, total int64) io.Reader {
	return TrackFrom(ctx, r, op, name, total, 0)
}

// TrackFrom is Track of what is left of a stream, of which done bytes came before.
func TrackFrom(ctx context.Context, r io.Reader, op, name string, total, done int64) io.Reader {
	return &tracked{ctx: ctx, r: r, to: ProgressFrom(ctx), event: Event{Op: op, Name: name, Total: total, Done: done}}
}

type tracked struct {
	ctx   context.Context
	r     io.Reader
	to    Progress
	event Event
}

func (t *tracked) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, context.Cause(t.ctx)
	}
	n, err := t.r.Read(p)
	if t.event.Finished {
		return n, err // who looks for the end once more is told no news
	}
	t.event.Done += int64(n)
	t.event.Finished = err != nil
	t.to.Report(t.event)
	return n, err
}
