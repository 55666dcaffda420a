//go:build unix

package verify_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/verify"
)

// TestSpecialFiles: what would block its reader forever is not opened.
func TestSpecialFiles(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"fifo": func(path string) error { return unix.Mkfifo(path, 0o644) },
		"socket": func(path string) error {
			short := filepath.Join(os.TempDir(), filepath.Base(t.TempDir())+".sock") // sockets have short paths
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
			if err != nil {
				return err
			}
			l.SetUnlinkOnClose(false)
			if err := l.Close(); err != nil {
				return err
			}
			return os.Rename(short, path)
		},
	} {
		l := build.Hello()
		d := layerOf(t, l).Digest
		delete(l.Blobs, d)
		dir := testkit.Layout(t, l, testkit.BrokenOK)
		if err := replace(filepath.Join(dir, build.BlobPath(d))); err != nil {
			t.Fatal(err)
		}
		got := testkit.Verify(t, dir)
		if got.OK || len(got.Problems) != 1 || got.Problems[0].ID != verify.BlobType {
			t.Errorf("%s: %+v, want %s", name, got.Problems, verify.BlobType)
		}
	}
}
