package registry

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestLastHeld: all bytes come, in their order, and the last one only with the end.
func TestLastHeld(t *testing.T) {
	wrong := errors.New("wrong")
	for _, size := range []int{0, 1, 2, 3, 100} {
		whole := bytes.Repeat([]byte("0123456789"), 10)[:size]
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "with the end": iotest.DataErrReader,
		} {
			for _, room := range []int{1, 2, 3, 64} {
				got, err := readBy(&lastHeld{r: wrap(bytes.NewReader(whole))}, room)
				if err != io.EOF || !bytes.Equal(got, whole) {
					t.Errorf("%d bytes, %s, by %d: got %q, %v", size, name, room, got, err)
				}
				got, err = readBy(&lastHeld{r: wrap(io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(wrong)))}, room)
				if err != wrong || len(got) > max(size-1, 0) || !bytes.HasPrefix(whole, got) {
					t.Errorf("%d wrong bytes, %s, by %d: got %q, %v", size, name, room, got, err)
				}
			}
		}
	}
}

func readBy(r io.Reader, room int) (all []byte, err error) {
	for err == nil {
		p := make([]byte, room)
		var n int
		n, err = r.Read(p)
		all = append(all, p[:n]...)
	}
	return all, err
}
