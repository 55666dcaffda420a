package ui_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/ui"
	"github.com/ocilayout/ocilayout/content"
)

// clock is a time that the test moves.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func newClock() *clock { return &clock{time.Unix(1_700_000_000, 0)} }

func TestPlainLines(t *testing.T) {
	var b bytes.Buffer
	c := newClock()
	u := ui.New(&b, ui.Options{Style: ui.Plain, Now: c.read})
	u.Report(content.Event{Op: "import", Name: "a", Total: 4_000_000, Done: 1_000_000})
	c.now = c.now.Add(2 * time.Second)
	u.Report(content.Event{Op: "import", Name: "a", Total: 4_000_000, Done: 2_000_000})
	if b.Len() > 0 {
		t.Fatalf("after two seconds: %q", b.String())
	}
	c.now = c.now.Add(2 * time.Second)
	u.Report(content.Event{Op: "import", Name: "b", Total: -1, Done: 2_000_000})
	u.Report(content.Event{Op: "import", Name: "a", Total: 4_000_000, Done: 4_000_000, Finished: true})
	u.Report(content.Event{Op: "import", Name: "b", Total: -1, Done: 6_000_000, Finished: true})
	c.now = c.now.Add(time.Second)
	u.Close()
	u.Close()
	want := "import: 0 done, 2 under way, 4.0 MB, 1.0 MB/s\nimport: 2 done, 10.0 MB, 2.0 MB/s\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	u.Report(content.Event{Op: "import", Name: "c"})
	if b.String() != want {
		t.Errorf("a closed display writes: %q", b.String())
	}
}

func TestShortWorkShowsNothing(t *testing.T) {
	for _, style := range []ui.Style{ui.None, ui.Plain, ui.Bars} {
		var b bytes.Buffer
		c := newClock()
		u := ui.New(&b, ui.Options{Style: style, Now: c.read})
		u.Report(content.Event{Op: "copy", Name: "a", Total: 10, Done: 5})
		c.now = c.now.Add(100 * time.Millisecond)
		u.Report(content.Event{Op: "copy", Name: "a", Total: 10, Done: 10, Finished: true})
		u.Close()
		if b.Len() > 0 {
			t.Errorf("style %d: %q", style, b.String())
		}
	}
}

// TestBars drives the bars from many goroutines; what is drawn depends on time,
// but the notes must be there whole and nothing may steer the terminal by a name.
func TestBars(t *testing.T) {
	var b bytes.Buffer
	c := newClock()
	u := ui.New(&b, ui.Options{Style: ui.Bars, Level: ui.Warn, Now: c.read})
	u.Report(content.Event{Op: "import", Name: "first", Total: 1})
	c.now = c.now.Add(time.Second)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			name := "\x07" + strconv.Itoa(i)
			total := int64(8 << 20)
			if i%3 == 0 {
				total = -1
			}
			for done := range int64(8) {
				u.Report(content.Event{Op: "import", Name: name, Total: total, Done: (done + 1) << 20})
			}
			if i%2 == 0 {
				u.Report(content.Event{Op: "import", Name: name, Total: total, Done: 8 << 20, Finished: true})
			}
		})
	}
	wg.Wait()
	u.Notef(ui.Warn, "odd: %s", "thing\x1b")
	u.Close()
	if !strings.Contains(b.String(), "ocilayout: warning: odd: thing\\x1b\n") {
		t.Errorf("no note in %q", b.String())
	}
	if strings.Contains(b.String(), "\x07") {
		t.Errorf("a name went to the terminal as it is: %q", b.String())
	}
}

func TestNotes(t *testing.T) {
	var b bytes.Buffer
	u := ui.New(&b, ui.Options{Level: ui.Info})
	u.Notef(ui.Warn, "one")
	u.Notef(ui.Info, "two\nlines")
	u.Notef(ui.Debug, "three")
	if want := "ocilayout: warning: one\nocilayout: info: two\\nlines\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	b.Reset()
	u = ui.New(&b, ui.Options{Level: ui.Warn, JSON: true})
	u.Notef(ui.Warn, "say \"%s\"", "x\n")
	var note struct{ Level, Message string }
	if err := json.Unmarshal(b.Bytes(), &note); err != nil || note.Level != "warning" || note.Message != "say \"x\n\"" {
		t.Errorf("%q: %+v, %v", b.String(), note, err)
	}
}

func TestParseLevel(t *testing.T) {
	for name, want := range map[string]ui.Level{"error": ui.Error, "warn": ui.Warn, "warning": ui.Warn, "info": ui.Info, "debug": ui.Debug} {
		if got, err := ui.ParseLevel(name); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := ui.ParseLevel("loud"); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("loud: %v", err)
	}
}
