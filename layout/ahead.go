package layout

import "io"

// ahead reads a file in a goroutine, one window ahead of who looks at it.
type ahead struct {
	r     io.Reader
	spare []byte // where the next window goes; nil while it is being filled
	done  chan filled
	busy  bool
}

// filled is what became of a window.
type filled struct {
	window []byte
	n      int
	err    error
}

func newAhead(r io.Reader) *ahead { return &ahead{r: r, done: make(chan filled, 1)} }

// begin starts to fill the next window behind its first scanRoom bytes.
func (a *ahead) begin() {
	window := a.spare
	if len(window) < scanWindow {
		window = make([]byte, scanWindow)
	}
	a.spare, a.busy = nil, true
	go func() {
		n, err := a.read(window[scanRoom:])
		a.done <- filled{window, n, err}
	}()
}

// take waits for the window that was begun; nil if none was. An error, io.EOF
// too, comes with the last bytes before it.
func (a *ahead) take() ([]byte, int, error) {
	if !a.busy {
		return nil, 0, nil
	}
	a.busy = false
	f := <-a.done
	return f.window, f.n, f.err
}

// read fills b. The end of the file is io.EOF, also where bytes came before it.
func (a *ahead) read(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = a.r.Read(b[n:])
		n += m
	}
	return n, err
}

// stop waits until the file is not read any more.
func (a *ahead) stop() { _, _, _ = a.take() }
