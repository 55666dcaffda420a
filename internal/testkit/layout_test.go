package testkit_test

import (
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// recorder is a test that remembers its failures.
type recorder struct {
	testing.TB
	cleanups []func()
	failed   int
}

func (r *recorder) Cleanup(f func())      { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(string, ...any) { r.failed++ }

func (r *recorder) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

// TestLayoutIsVerified: a test that leaves a broken layout behind fails, unless it
// says that it wants one.
func TestLayoutIsVerified(t *testing.T) {
	broken := func() *build.Layout {
		l := build.Hello()
		delete(l.Blobs, l.Entries[0].Digest)
		return l
	}
	for name, c := range map[string]struct {
		l       *build.Layout
		options []testkit.Option
		failed  int
	}{
		"sound":             {build.Hello(), nil, 0},
		"empty":             {nil, nil, 0},
		"broken":            {broken(), nil, 1},
		"broken and wanted": {broken(), []testkit.Option{testkit.BrokenOK}, 0},
	} {
		r := &recorder{TB: t}
		testkit.Layout(r, c.l, c.options...)
		r.end()
		if r.failed != c.failed {
			t.Errorf("%s: %d errors, want %d", name, r.failed, c.failed)
		}
	}
}
