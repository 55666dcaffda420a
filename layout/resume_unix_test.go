//go:build unix

package layout_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestPartialOfOthers: a part that is not a plain file of this user is nothing to go on
// with, and one that others may write to is so no longer.
func TestPartialOfOthers(t *testing.T) {
	for name, test := range map[string]struct {
		spoil   func(t *testing.T, part string) error
		resumes bool
	}{
		"a fifo": {func(_ *testing.T, part string) error { return errors.Join(os.Remove(part), unix.Mkfifo(part, 0o644)) }, false},
		"another owner's": {func(t *testing.T, part string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root may give files away")
			}
			return os.Chown(part, 12345, 12345)
		}, false},
		"open to all": {func(_ *testing.T, part string) error { return os.Chmod(part, 0o666) }, true},
		"setuid":      {func(_ *testing.T, part string) error { return os.Chmod(part, 0o755|os.ModeSetuid) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := testkit.Layout(t, nil)
			from, want := newAfar()
			from.cut = 2 << 20
			if err := fetchOnce(t, dir, from, want); !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			if err := test.spoil(t, leftPartial(t, dir)); err != nil {
				t.Fatal(err)
			}
			from.cut = 0
			if err := fetchOnce(t, dir, from, want); err != nil {
				t.Fatal(err)
			}
			if last := from.offsets[len(from.offsets)-1]; (last > 0) != test.resumes {
				t.Errorf("begun at %v", from.offsets)
			}
			info, err := os.Stat(dir + "/blobs/sha256/" + want.Digest.Encoded())
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode(); mode&(0o022|os.ModeSetuid) != 0 {
				t.Errorf("the blob has mode %v", mode)
			}
		})
	}
}
