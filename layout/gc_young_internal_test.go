package layout

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/durable"
)

// TestYoungWhenTheClockGoesBack: a file that was changed at a time which is still to
// come is young, but not one that was only given such a time.
func TestYoungWhenTheClockGoesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	old := time.Now().AddDate(-30, 0, 0)
	if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chtimes(path, old, old)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if durable.StampOf(info).CtimeNs < time.Now().Add(-time.Hour).UnixNano() {
		t.Skip("no change of an inode is told here")
	}
	for back, want := range map[time.Duration]bool{
		-2 * time.Hour: false, 0: true, 30 * time.Minute: true, 2 * time.Hour: true, 10 * 365 * 24 * time.Hour: true,
	} {
		c := collector{now: time.Now().Add(-back), o: GCOptions{Grace: time.Hour}}
		if got := c.young(info); got != want {
			t.Errorf("%v after the clock was put back by %s", got, back)
		}
		if c.o.Grace = 0; c.young(info) {
			t.Errorf("young without grace after the clock was put back by %s", back)
		}
	}
}
