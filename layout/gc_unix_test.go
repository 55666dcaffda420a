//go:build unix

package layout_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// TestGCOfOthersState: what another user staged is not ours to clear, but who is at
// work there is honoured.
func TestGCOfOthersState(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files to others")
	}
	built := build.NewLayout()
	stray := built.Put("", []byte("stray"))
	l := opened(t, built)
	dir := filepath.Join(l.Path(), ".ocilayout", "staging", "THEIRS")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Skip(err)
	}
	held := filepath.Join(dir, "held")
	if err := os.Link(filepath.Join(l.Path(), filepath.FromSlash(build.BlobPath(stray.Digest))), held); err != nil {
		t.Fatal(err)
	}
	lease, err := durable.TryLock(filepath.Join(dir, "lease"), false)
	if err != nil {
		t.Fatal(err)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Changed() || got.KeptByLease.Count != 1 {
		t.Errorf("beside another user: %+v", got)
	}
	if err := lease.UnlockAndRemove(); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Removed.Count != 1 || got.Staging.Count != 0 {
		t.Errorf("behind them: %+v", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}
