package ui

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

const (
	// barFrom is the size from which an item has a bar of its own; smaller ones,
	// of which there may be thousands, only count in the sum.
	barFrom = 4 << 20
	// maxBars is how many bars there are at once beside the sum.
	maxBars = 8
)

// bars draws a bar for each large item under way and a line with the sum.
type bars struct {
	p    *mpb.Progress
	sum  *mpb.Bar
	text atomic.Pointer[string]
	live map[item]*mpb.Bar
}

func newBars(w io.Writer) *bars {
	b := &bars{live: map[item]*mpb.Bar{}}
	b.p = mpb.New(mpb.WithOutput(w), mpb.WithWidth(60), mpb.WithRefreshRate(150*time.Millisecond), mpb.ForceAutoRefresh())
	b.sum = b.p.New(0, mpb.NopStyle(), mpb.BarPriority(1<<30),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			if text := b.text.Load(); text != nil {
				return *text
			}
			return ""
		})))
	return b
}

// say sets the line with the sum.
func (b *bars) say(sum string) {
	sum = render.Escape(sum)
	b.text.Store(&sum)
}

// update moves the bar of ev's item, which appears and goes with its work.
func (b *bars) update(ev content.Event) {
	key := item{ev.Op, ev.Name}
	bar := b.live[key]
	switch {
	case ev.Finished && bar != nil:
		bar.Abort(true)
		delete(b.live, key)
	case ev.Finished:
	case bar != nil:
		bar.SetCurrent(ev.Done)
	case len(b.live) < maxBars && (ev.Total < 0 || ev.Total >= barFrom):
		b.live[key] = b.add(ev)
	}
}

func (b *bars) add(ev content.Event) *mpb.Bar {
	name := decor.Name(render.Escape(ev.Op+" "+ev.Name), decor.WCSyncSpaceR)
	if ev.Total < 0 {
		return b.p.New(0, mpb.NopStyle(), mpb.PrependDecorators(name),
			mpb.AppendDecorators(decor.CurrentKiloByte("% .1f")))
	}
	bar := b.p.AddBar(ev.Total, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(name),
		mpb.AppendDecorators(decor.CountersKiloByte("% .1f / % .1f")))
	bar.SetCurrent(ev.Done)
	return bar
}

func (b *bars) write(line []byte) {
	_, _ = b.p.Write(line) // fails only when closed, where nothing is written
}

func (b *bars) close() {
	for _, bar := range b.live {
		bar.Abort(true)
	}
	b.sum.Abort(true)
	b.p.Wait()
}
