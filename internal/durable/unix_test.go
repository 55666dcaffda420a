//go:build unix

package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"golang.org/x/sys/unix"
)

// A fifo without a writer blocks whoever opens it plainly.
func TestFifoAndDeviceAreRefused(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := errors.Join(unix.Mkfifo(fifo, 0o644), os.Symlink(fifo, link)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, kind string }{
		{fifo, "a fifo"}, {link, "a fifo"}, {os.DevNull, "a device"},
	} {
		_, _, err := durable.OpenRegular(tt.path)
		if !errors.Is(err, content.ErrRefused) || !strings.Contains(err.Error(), tt.kind) {
			t.Errorf("OpenRegular(%s): %v", tt.path, err)
		}
		if _, _, err := durable.OpenRegularNoFollow(tt.path); !errors.Is(err, content.ErrRefused) {
			t.Errorf("OpenRegularNoFollow(%s): %v", tt.path, err)
		}
		if _, err := durable.TryLock(tt.path, true); !errors.Is(err, content.ErrRefused) {
			t.Errorf("TryLock(%s): %v", tt.path, err)
		}
		if err := durableFS.SyncFile(tt.path); !errors.Is(err, content.ErrRefused) {
			t.Errorf("SyncFile(%s): %v", tt.path, err)
		}
	}
}

func TestOpenFileIsBlocking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := durableFS.WriteFile(path, nil); err != nil {
		t.Fatal(err)
	}
	f, _, err := durable.OpenRegular(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var flags int
	var ferr error
	if err := raw.Control(func(fd uintptr) {
		flags, ferr = unix.FcntlInt(fd, unix.F_GETFL, 0)
	}); err != nil || ferr != nil {
		t.Fatal(err, ferr)
	}
	if flags&unix.O_NONBLOCK != 0 {
		t.Error("the file is still in non-blocking mode")
	}
}

func TestModesObeyTheUmask(t *testing.T) {
	defer unix.Umask(unix.Umask(0o027))
	dir := filepath.Join(t.TempDir(), "dir")
	file, lock := filepath.Join(dir, "file"), filepath.Join(dir, "lock")
	if err := errors.Join(durableFS.MkdirAll(dir), durableFS.WriteFile(file, nil)); err != nil {
		t.Fatal(err)
	}
	mustLock(t, lock, false)
	for path, want := range map[string]fs.FileMode{dir: 0o750, file: 0o640, lock: 0o640} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, fi.Mode().Perm(), err, want)
		}
	}
}

func TestSameOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file away")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(durableFS.WriteFile(path, nil), os.Chown(path, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if durable.SameOwner(fi) {
		t.Error("a file of another user is ours")
	}
}

// A lock file that we may read and not write stands for one of another user. (To
// root it is as any other.)
func TestLockOfAReadOnlyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	mustLock(t, path, false)
	if _, err := durable.TryLock(path, true); !errors.Is(err, content.ErrBusy) {
		t.Errorf("TryLock beside the holder: %v", err)
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.TryLock(path, true); os.Geteuid() != 0 && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("TryLock of an unreadable file: %v", err)
	}
}
