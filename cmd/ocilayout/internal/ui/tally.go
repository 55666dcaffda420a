package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

// item is a piece of work: what Events of one Op and Name are about.
type item struct{ op, name string }

// A tally sums up events. It holds no more than the items under way.
type tally struct {
	op       string // of the newest event
	live     map[item]content.Event
	finished int
	done     int64 // bytes of finished items
}

func newTally() tally { return tally{live: map[item]content.Event{}} }

func (t *tally) add(ev content.Event) {
	if ev.Op != t.op {
		t.op, t.finished, t.done = ev.Op, 0, 0
	}
	key := item{ev.Op, ev.Name}
	if !ev.Finished {
		t.live[key] = ev
		return
	}
	delete(t.live, key)
	t.finished++
	t.done += ev.Done
}

// line says it in words: "import: 3 done, 2 under way, 120.3 MB, 40.1 MB/s".
func (t *tally) line(took time.Duration) string {
	done, running, waiting := t.done, 0, 0
	for key, ev := range t.live {
		switch {
		case key.op != t.op:
		case ev.Done == 0:
			waiting++
		default:
			done += ev.Done
			running++
		}
	}
	parts := []string{fmt.Sprintf("%d done", t.finished)}
	if running > 0 {
		parts = append(parts, fmt.Sprintf("%d under way", running))
	}
	if waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d to come", waiting))
	}
	parts = append(parts, render.Size(done))
	if seconds := took.Seconds(); seconds >= 1 {
		parts = append(parts, render.Size(int64(float64(done)/seconds))+"/s")
	}
	return t.op + ": " + strings.Join(parts, ", ")
}
