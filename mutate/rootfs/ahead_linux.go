package rootfs

import (
	"context"
	"io"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

const (
	aheadBuffer  = 512 << 10
	aheadBuffers = 8
)

// A stream is the plain tars of several layers, one after the other, which are
// decompressed and proven by a goroutine of its own, some buffers ahead of who
// reads. Each layer ends in its verdict, as [imagefs.OpenLayer] says.
type stream struct {
	full   chan piece
	free   chan []byte
	ctx    context.Context
	cancel context.CancelFunc
	buf    []byte // at hand, to give back
	rest   []byte // of it
	err    error  // of the layer at hand
}

// A piece is the next bytes of a layer, or its end.
type piece struct {
	data []byte
	err  error
}

// openStream begins to read. The caller closes it.
func openStream(ctx context.Context, f content.Fetcher, layers []imagefs.Layer, limits content.Limits) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{full: make(chan piece, aheadBuffers), free: make(chan []byte, aheadBuffers), ctx: ctx, cancel: cancel}
	for range aheadBuffers {
		s.free <- nil
	}
	go func() {
		defer close(s.full)
		for _, l := range layers {
			err := s.layer(ctx, f, l, limits)
			select {
			case s.full <- piece{err: err}:
			case <-ctx.Done():
				return
			}
			if err != io.EOF {
				return
			}
		}
	}()
	return s
}

// layer passes one layer on; its error is io.EOF if it is right.
func (s *stream) layer(ctx context.Context, f content.Fetcher, l imagefs.Layer, limits content.Limits) error {
	rc, err := imagefs.OpenLayer(ctx, f, l, limits)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	r := content.Track(ctx, rc, "unpack", content.Short(l.Digest), -1)
	for err == nil {
		var buf []byte
		select {
		case buf = <-s.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if buf == nil {
			buf = make([]byte, aheadBuffer)
		}
		n := 0
		for n < len(buf) && err == nil {
			var more int
			more, err = r.Read(buf[n:])
			n += more
		}
		select {
		case s.full <- piece{data: buf[:n]}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}

// next goes on to the next layer; the one before must have been read to its end.
func (s *stream) next() { s.err = nil }

// Read reads the layer at hand. It returns io.EOF only at the end of a layer that
// is proven.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.rest) == 0 && s.err == nil {
		if s.buf != nil {
			s.free <- s.buf
			s.buf = nil
		}
		next, ok := <-s.full
		switch {
		case !ok:
			s.err = context.Cause(s.ctx) // nothing else ends the goroutine early
		case next.err != nil:
			s.err = next.err
		default:
			s.buf, s.rest = next.data[:cap(next.data)], next.data
		}
	}
	if len(s.rest) == 0 {
		return 0, s.err
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Close ends the goroutine and waits for it.
func (s *stream) Close() {
	s.cancel()
	for range s.full { // until it is closed
	}
}
