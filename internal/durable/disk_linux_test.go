package durable_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/durable"
	"golang.org/x/sys/unix"
)

// smallDisk mounts a tmpfs of 256 KiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no tmpfs to be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "index.json")
	if err := durableFS.WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := durableFS.WriteFile(path, make([]byte, 1<<20)); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("WriteFile on a full disk: %v", err)
	}
	wantFile(t, path, "old")
	wantNames(t, dir, "index.json")
	if err := durableFS.WriteFile(path, bytes.Repeat([]byte("n"), 100<<10)); err != nil {
		t.Fatalf("WriteFile of what fits, afterwards: %v", err)
	}
}

func TestAcrossFilesystems(t *testing.T) {
	f := stage(t, t.TempDir(), "hello")
	final := filepath.Join(smallDisk(t), "final")
	if err := durableFS.LinkInto(f.Name(), final); !errors.Is(err, durable.ErrNoLinks) {
		t.Errorf("LinkInto across filesystems: %v", err)
	}
	if err := durableFS.Publish(f.Name(), final); !errors.Is(err, unix.EXDEV) {
		t.Errorf("Publish across filesystems: %v", err)
	}
	wantNames(t, filepath.Dir(final))
	wantFile(t, f.Name(), "hello")
}
