package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

// A disk records the calls that make bytes durable and fails the one it is told
// to. It stands in for the operating system only where an error must be made.
type disk struct {
	calls []string
	fail  int // the call that fails, from 1
	err   error
}

func (k *disk) do(call string, fn func() error) error {
	k.calls = append(k.calls, call)
	if len(k.calls) == k.fail {
		return k.err
	}
	return fn()
}

func (k *disk) fs() FS {
	return FS{ops: &ops{
		sync: func(f *os.File) error {
			return k.do("sync "+nameOf(f.Name()), f.Sync)
		},
		syncFS: func(f *os.File) error {
			return k.do("syncfs "+nameOf(f.Name()), func() error { return syncFS(f) })
		},
		rename: func(from, to string) error {
			return k.do(fmt.Sprintf("rename %s %s", nameOf(from), nameOf(to)),
				func() error { return rename(from, to) })
		},
		link: func(from, to string) error {
			return k.do(fmt.Sprintf("link %s %s", nameOf(from), nameOf(to)),
				func() error { return os.Link(from, to) })
		},
		linkOpen: func(f *os.File, to string) error {
			return k.do("link "+nameOf(to), func() error { return linkOpen(f, to) })
		},
	}}
}

func nameOf(path string) string {
	if base := filepath.Base(path); !strings.HasPrefix(base, ".staged-") {
		return base
	}
	return "staged"
}

// work makes the directory work in a new temporary one.
func work(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantCalls(t *testing.T, k *disk, want ...string) {
	t.Helper()
	if !haveDirSync {
		want = slices.DeleteFunc(want, func(s string) bool {
			return strings.HasPrefix(s, "sync ") && s != "sync staged"
		})
	}
	if !slices.Equal(k.calls, want) {
		t.Errorf("calls:\n%q, want\n%q", k.calls, want)
	}
}

func TestOrderOfOperations(t *testing.T) {
	t.Run("replace", func(t *testing.T) {
		var k disk
		dir := work(t)
		f, err := k.fs().Stage(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.fs().Replace(f, filepath.Join(dir, "index.json")); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, &k, "sync staged", "rename staged index.json", "sync work")
	})
	t.Run("mkdir", func(t *testing.T) {
		var k disk
		path := filepath.Join(work(t), "blobs", "sha256")
		for range 2 {
			if err := k.fs().MkdirAll(path); err != nil {
				t.Fatal(err)
			}
		}
		wantCalls(t, &k, "sync work", "sync blobs")
	})
	t.Run("no sync", func(t *testing.T) {
		var k disk
		d, dir := k.fs(), work(t)
		d.NoSync = true
		path := filepath.Join(dir, "blobs", "b")
		err := errors.Join(d.MkdirAll(filepath.Dir(path)), d.WriteFile(path, []byte("x")),
			d.SyncFile(path), d.SyncDir(dir))
		if err != nil {
			t.Fatal(err)
		}
		if done, err := d.SyncFS(dir); !done || err != nil {
			t.Errorf("SyncFS: %v, %v", done, err)
		}
		if n := len(k.calls); n == 0 || slices.ContainsFunc(k.calls, func(s string) bool { return strings.HasPrefix(s, "sync") }) {
			t.Errorf("calls: %q", k.calls)
		}
	})
}

// TestEveryCallFails fails each call of a WriteFile in turn: the name always has
// the old bytes or the new ones, and no staged file stays.
func TestEveryCallFails(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		for n := 1; ; n++ {
			dir := work(t)
			path := filepath.Join(dir, "index.json")
			if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			k := disk{fail: n, err: cause}
			err := k.fs().WriteFile(path, []byte("new"))
			if len(k.calls) < n {
				if n < 3 || err != nil {
					t.Fatalf("only %d calls, %v", n-1, err)
				}
				break
			}
			if !errors.Is(err, cause) {
				t.Errorf("%v at %q: %v", cause, k.calls[n-1], err)
			}
			want := "old"
			if slices.Contains(k.calls[:n-1], "rename staged index.json") {
				want = "new"
			}
			if got, err := os.ReadFile(path); string(got) != want || err != nil {
				t.Errorf("%v at %q: index.json has %q, %v", cause, k.calls[n-1], got, err)
			}
			if names, _ := os.ReadDir(dir); len(names) != 1 {
				t.Errorf("%v at %q: the directory has %v", cause, k.calls[n-1], names)
			}
		}
	}
}

func TestSyncErrorIsFinal(t *testing.T) {
	k := disk{fail: 1, err: syscall.EIO}
	f, err := k.fs().Stage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Discard()
	for range 2 {
		if err := f.Fsync(); !errors.Is(err, syscall.EIO) {
			t.Errorf("Sync: %v", err)
		}
	}
	if err := k.fs().Replace(f, f.Name()+"-final"); !errors.Is(err, syscall.EIO) {
		t.Errorf("Replace after a failed Sync: %v", err)
	}
}

func TestLinkErrors(t *testing.T) {
	for _, tt := range []struct {
		err     error
		noLinks bool
	}{
		{syscall.EPERM, true}, {syscall.EMLINK, true}, {syscall.EXDEV, true},
		{syscall.ENOTSUP, true}, {syscall.ENOSYS, true},
		{syscall.EIO, false}, {syscall.ENOSPC, false}, {syscall.EEXIST, false}, {syscall.EACCES, false},
	} {
		if !haveDirSync && tt.noLinks {
			continue // Windows has its own numbers
		}
		k := disk{fail: 1, err: &os.LinkError{Op: "link", Old: "a", New: "b", Err: tt.err}}
		err := k.fs().LinkInto("a", "b")
		if errors.Is(err, ErrNoLinks) != tt.noLinks || !errors.Is(err, tt.err) {
			t.Errorf("LinkInto with %v: %v", tt.err, err)
		}
		if tt.noLinks && !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("LinkInto with %v is not ErrUnsupported: %v", tt.err, err)
		}
	}
}

func TestDirectoryWithoutSync(t *testing.T) {
	if !haveDirSync {
		t.Skip("directories are not synced on Windows")
	}
	for _, tt := range []struct {
		err, want error
	}{
		{syscall.EINVAL, nil}, {syscall.ENOTSUP, nil}, {syscall.EIO, syscall.EIO}, {syscall.ENOSPC, syscall.ENOSPC},
	} {
		k := disk{fail: 1, err: &os.PathError{Op: "sync", Path: "d", Err: tt.err}}
		if err := k.fs().SyncDir(t.TempDir()); !errors.Is(err, tt.want) {
			t.Errorf("SyncDir with %v: %v", tt.err, err)
		}
	}
}

// TestLockOfARemovedFile: the file is removed, or replaced, between its opening
// and its locking.
func TestLockOfARemovedFile(t *testing.T) {
	for _, replace := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "lock")
		f, err := openLock(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if replace {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := lockCurrent(f, path, false); !errors.Is(err, errStale) {
			t.Errorf("lock of a file without its name (replaced: %v): %v", replace, err)
		}
	}
}

func TestLockErrors(t *testing.T) {
	if !haveDirSync {
		t.Skip("Windows has its own numbers")
	}
	for _, tt := range []struct{ err, want error }{
		{syscall.EWOULDBLOCK, content.ErrBusy},
		{syscall.ENOLCK, content.ErrUnsupported},
		{syscall.ENOSYS, content.ErrUnsupported},
		{syscall.EOPNOTSUPP, content.ErrUnsupported},
		{syscall.EIO, syscall.EIO},
	} {
		if err := lockError("lock", tt.err); !errors.Is(err, tt.want) {
			t.Errorf("flock fails with %v: %v", tt.err, err)
		}
	}
}
