//go:build unix

package layout_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

func TestSpecialFilesAreRefused(t *testing.T) {
	l := newLayout(t)
	d := descriptor("hello")
	if err := syscall.Mkfifo(blobFile(l, d.Digest), 0o644); err != nil {
		t.Skip("no fifos here:", err)
	}
	if _, err := l.Fetch(t.Context(), d); !errors.Is(err, content.ErrRefused) {
		t.Errorf("Fetch of a fifo: %v", err)
	}
	if err := l.Push(t.Context(), d, strings.NewReader("hello")); err != nil {
		t.Errorf("Push over a fifo: %v", err)
	}
}
