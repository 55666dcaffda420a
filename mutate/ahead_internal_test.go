package mutate

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestAheadCutOff: a stream that says itself that it is cut off does not end well.
func TestAheadCutOff(t *testing.T) {
	a := newAhead(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	defer a.Close()
	got, err := io.ReadAll(a)
	if string(got) != "some" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v", got, err)
	}
}
