// Package ui is what a person sees on standard error while a command runs:
// notes, and how far the work has come. With a terminal there are bars, elsewhere
// a line every few seconds; work that is over sooner shows nothing.
package ui

import (
	"io"
	"sync"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

// Style is how progress is shown.
type Style int

const (
	None  Style = iota // not at all
	Plain              // a line every few seconds
	Bars               // bars, drawn over and over: for terminals only
)

const (
	// firstBars is how long work goes on before bars appear, so that short work
	// never pays for them.
	firstBars = 300 * time.Millisecond
	// everyLine is the time between two plain lines.
	everyLine = 3 * time.Second
	// everySum is the time between two changes of the line under the bars.
	everySum = 100 * time.Millisecond
)

// Options say what is shown. The zero value shows neither progress nor notes.
type Options struct {
	Style Style
	Level Level
	JSON  bool             // notes as one JSON object a line
	Now   func() time.Time // the clock; nil is time.Now
}

// A UI takes the events and notes of one command. It is a [content.Progress].
// Close it before anything else is written to its writer.
type UI struct {
	opts Options

	mu      sync.Mutex
	w       io.Writer
	tally   tally
	started time.Time // of the first event
	shown   time.Time // when the sum was
	bars    *bars     // nil until shown
	closed  bool
}

// New makes a UI that writes to w.
func New(w io.Writer, opts Options) *UI {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &UI{w: w, opts: opts, tally: newTally()}
}

// Report counts ev and, when it is time, shows it.
func (u *UI) Report(ev content.Event) {
	if u.opts.Style == None {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.tally.add(ev)
	now := u.opts.Now()
	if u.started.IsZero() {
		u.started, u.shown = now, now
	}
	if u.opts.Style == Plain {
		if u.due(now, everyLine) {
			u.writeLine(u.tally.line(now.Sub(u.started)))
		}
		return
	}
	if u.bars == nil && now.Sub(u.started) >= firstBars {
		u.bars = newBars(u.w)
	}
	if u.bars == nil {
		return
	}
	u.bars.update(ev)
	if u.due(now, everySum) || ev.Finished {
		u.bars.say(u.tally.line(now.Sub(u.started)))
	}
}

// due says whether the sum was last shown at least every ago, and if so takes
// now as the time it is shown.
func (u *UI) due(now time.Time, every time.Duration) bool {
	if now.Sub(u.shown) < every {
		return false
	}
	u.shown = now
	return true
}

// Close ends the display. Work that showed plain lines gets a last one with its sum.
func (u *UI) Close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.closed = true
	if u.bars != nil {
		u.bars.close()
		u.bars = nil
		return
	}
	if u.opts.Style == Plain && u.shown.After(u.started) {
		u.writeLine(u.tally.line(u.opts.Now().Sub(u.started)))
	}
}

// writeLine writes one line, above the bars if there are any. A standard error
// that can't be written to is no reason to stop.
func (u *UI) writeLine(text string) {
	line := []byte(render.Escape(text) + "\n")
	if u.bars != nil {
		u.bars.write(line)
		return
	}
	_, _ = u.w.Write(line)
}
