package content_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

// ends counts the events that end a piece of work.
type ends int

func (n *ends) Report(e content.Event) {
	if e.Finished {
		*n++
	}
}

// TestTrackEndsOnce reads beyond the end of tracked work, which ends once all the same.
func TestTrackEndsOnce(t *testing.T) {
	var n ends
	r := content.Track(content.WithProgress(context.Background(), &n), strings.NewReader("abc"), "test", "x", 3)
	for range 3 {
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("the work ended %d times", n)
	}
}
