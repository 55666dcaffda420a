package durable_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

func mustLock(t *testing.T, path string, shared bool) *durable.FileLock {
	t.Helper()
	l, err := durable.TryLock(path, shared)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Unlock(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLockExcludesWithinAProcess(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		held, wanted, refused bool // held and wanted: shared?
	}{
		{"alone, alone", false, false, true},
		{"alone, shared", false, true, true},
		{"shared, alone", true, false, true},
		{"shared, shared", true, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock")
			held := mustLock(t, path, tt.held)
			second, err := durable.TryLock(path, tt.wanted)
			if got := errors.Is(err, content.ErrBusy); got != tt.refused {
				t.Fatalf("second lock: %v", err)
			}
			if err == nil {
				if err := second.Unlock(); err != nil {
					t.Fatal(err)
				}
			} else if !strings.HasPrefix(err.Error(), path+": ") {
				t.Errorf("the error does not begin with the path: %v", err)
			}
			if err := held.Unlock(); err != nil {
				t.Fatal(err)
			}
			mustLock(t, path, false)
		})
	}
}

func TestLockLeavesItsFileUnlessAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l := mustLock(t, path, false)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Errorf("second Unlock: %v", err)
	}
	if fi, err := os.Lstat(path); err != nil || fi.Size() != 0 {
		t.Fatalf("the lock file after Unlock: %v, %v", fi, err)
	}
	l = mustLock(t, path, false)
	if err := l.UnlockAndRemove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the lock file after UnlockAndRemove: %v", err)
	}
	if err := l.UnlockAndRemove(); err != nil {
		t.Errorf("second UnlockAndRemove: %v", err)
	}
}

func TestLockTimesOutAsBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	p := start(t, "hold", path)
	for _, timeout := range []time.Duration{0, 20 * time.Millisecond} {
		_, err := durable.Lock(t.Context(), path, durable.LockOptions{Timeout: timeout})
		if !errors.Is(err, content.ErrBusy) {
			t.Errorf("Lock with timeout %v: %v", timeout, err)
		}
	}
	p.finish(t)
	mustLock(t, path, false)
}

func TestLockEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	mustLock(t, path, false)
	why := errors.New("the user went home")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	_, err := durable.Lock(ctx, path, durable.LockOptions{Timeout: -1})
	if !errors.Is(err, why) || errors.Is(err, content.ErrBusy) {
		t.Fatalf("Lock: %v", err)
	}
	free := filepath.Join(t.TempDir(), "lock")
	if _, err := durable.Lock(ctx, free, durable.LockOptions{}); !errors.Is(err, why) {
		t.Fatalf("Lock of a free file with a context that is done: %v", err)
	}
}

func TestLockIsReleasedByDeath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	p := start(t, "hold", path)
	if _, err := durable.TryLock(path, false); !errors.Is(err, content.ErrBusy) {
		t.Fatalf("TryLock beside a holder: %v", err)
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // reports the kill
	l, err := durable.Lock(t.Context(), path, durable.LockOptions{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestLockIsSharedAcrossProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	p, q := start(t, "share", path), start(t, "share", path)
	l := mustLock(t, path, true)
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	p.finish(t)
	if _, err := durable.TryLock(path, false); !errors.Is(err, content.ErrBusy) {
		t.Fatalf("TryLock alone beside a sharer: %v", err)
	}
	q.finish(t)
	mustLock(t, path, false)
}

// TestLockLosesNoUpdate has processes contend for a counter, also with holders
// that remove the lock file each time, as BuildKit does.
func TestLockLosesNoUpdate(t *testing.T) {
	for _, roles := range [][]string{
		{"count", "count", "count"},
		{"count-remove", "count-remove", "count-remove"},
		{"count", "count-remove", "count-remove"},
	} {
		t.Run(strings.Join(roles, ","), func(t *testing.T) {
			dir := t.TempDir()
			path, file := filepath.Join(dir, "lock"), filepath.Join(dir, "n")
			if err := os.WriteFile(file, []byte("0"), 0o644); err != nil {
				t.Fatal(err)
			}
			gate := mustLock(t, path, false) // until all have started
			var all []*process
			for _, role := range roles {
				all = append(all, start(t, role, path, file))
			}
			if err := gate.Unlock(); err != nil {
				t.Fatal(err)
			}
			for _, p := range all {
				p.finish(t)
			}
			if n, err := readNumber(file); err != nil || n != 100*len(roles) {
				t.Errorf("counted %d, %v; want %d", n, err, 100*len(roles))
			}
		})
	}
}

// TestLockFileRemovedWhileWaiting: a waiter goes on with the file that has the
// name, and the old holder does not remove the new one.
func TestLockFileRemovedWhileWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	old := mustLock(t, path, false)
	type result struct {
		l   *durable.FileLock
		err error
	}
	got := make(chan result)
	go func() {
		l, err := durable.Lock(t.Context(), path, durable.LockOptions{Timeout: -1})
		got <- result{l, err}
	}()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.err != nil {
		t.Fatal(r.err)
	}
	if err := old.UnlockAndRemove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the new lock file: %v", err)
	}
	if _, err := durable.TryLock(path, false); !errors.Is(err, content.ErrBusy) {
		t.Fatalf("TryLock beside the new holder: %v", err)
	}
	if err := r.l.UnlockAndRemove(); err != nil {
		t.Fatal(err)
	}
}

func TestLockRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	for _, path := range []string{dir, link} {
		if _, err := durable.TryLock(path, false); !errors.Is(err, content.ErrRefused) {
			t.Errorf("TryLock(%s): %v", path, err)
		}
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made behind the link: %v", err)
	}
	absent := filepath.Join(dir, "absent", "lock")
	if _, err := durable.TryLock(absent, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("TryLock in an absent directory: %v", err)
	}
}
