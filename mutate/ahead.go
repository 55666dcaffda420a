package mutate

import "io"

const (
	// aheadChunk is what is handed over at a time: large, so that goroutines seldom
	// meet, and small enough to be in the cache still when it is looked at.
	aheadChunk = 256 << 10
	// aheadChunks is how many chunks are filled or looked at.
	aheadChunks = 6
)

// An ahead reads a stream in a goroutine of its own and hands out its bytes in place.
// Close ends the goroutine and waits for it.
type ahead struct {
	full chan []byte
	free chan []byte
	quit chan struct{}
	done chan struct{}
	fail error // of the stream, valid once full is closed; io.EOF at its end

	chunk []byte // as it came, to be given back
	rest  []byte // of chunk, not taken yet
}

func newAhead(r io.Reader) *ahead {
	a := &ahead{full: make(chan []byte, aheadChunks), free: make(chan []byte, aheadChunks), quit: make(chan struct{}), done: make(chan struct{})}
	for range aheadChunks {
		a.free <- nil
	}
	go a.fill(r)
	return a
}

// fill reads r until it ends or Close is called.
func (a *ahead) fill(r io.Reader) {
	defer close(a.done)
	defer close(a.full)
	for {
		var buf []byte
		select {
		case buf = <-a.free:
		case <-a.quit:
			a.fail = io.ErrClosedPipe
			return
		}
		if buf == nil {
			buf = make([]byte, aheadChunk)
		}
		// Not io.ReadFull, which says of a short last chunk what r may say of a stream that
		// is cut off.
		n, err := 0, error(nil)
		for n < aheadChunk && err == nil {
			var more int
			more, err = r.Read(buf[n:aheadChunk])
			n += more
		}
		if n > 0 {
			a.full <- buf[:n] // never blocks: there are no more chunks than it holds
		}
		if err != nil {
			a.fail = err
			return
		}
	}
}

// next returns bytes that were not taken yet, at least one, or the error that ended
// the stream. They are good until the next call.
func (a *ahead) next() ([]byte, error) {
	if len(a.rest) > 0 {
		return a.rest, nil
	}
	if a.chunk != nil {
		a.free <- a.chunk[:cap(a.chunk)]
		a.chunk = nil
	}
	chunk, ok := <-a.full
	if !ok {
		return nil, a.fail
	}
	a.chunk, a.rest = chunk, chunk
	return chunk, nil
}

// take marks n of the bytes that next returned as taken.
func (a *ahead) take(n int) { a.rest = a.rest[n:] }

// Read takes bytes as an io.Reader does.
func (a *ahead) Read(p []byte) (int, error) {
	b, err := a.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	a.take(n)
	return n, nil
}

// WriteTo writes all that is left to w, in place.
func (a *ahead) WriteTo(w io.Writer) (n int64, err error) {
	for {
		b, err := a.next()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		k, err := w.Write(b)
		n += int64(k)
		if err != nil {
			return n, err
		}
		a.take(len(b))
	}
}

// copyN writes the next n bytes to w, in place; a nil w drops them. A stream that
// ends before is io.ErrUnexpectedEOF.
func (a *ahead) copyN(w io.Writer, n int64) error {
	for n > 0 {
		b, err := a.next()
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		b = b[:min(int64(len(b)), n)]
		if w != nil {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		a.take(len(b))
		n -= int64(len(b))
	}
	return nil
}

// Close ends the reading. What was read and not taken is dropped.
func (a *ahead) Close() {
	close(a.quit)
	<-a.done
}
