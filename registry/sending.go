package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A blobFile is a blob that is a file of its own, at its start.
type blobFile interface {
	io.ReadCloser
	syscall.Conn
}

// openBlob opens what is to be sent. A file is sent as it lies there, so that the kernel
// can move it; that its bytes are right is for the registry to see, and for proveOwn to
// say if it does not take them. All else proves itself while it is read.
func openBlob(ctx context.Context, src content.Fetcher, d content.Descriptor) (io.ReadCloser, error) {
	store, ok := src.(interface {
		ReaderAt(context.Context, content.Digest) (layout.BlobAt, error)
	})
	if !ok {
		return src.Fetch(ctx, d)
	}
	at, err := store.ReaderAt(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	if f, ok := at.(blobFile); ok && at.Size() == d.Size {
		return f, nil
	}
	if err := at.Close(); err != nil {
		return nil, err
	}
	return src.Fetch(ctx, d)
}

// proveOwn reads a blob that was not taken, and says what is wrong with it here.
func proveOwn(ctx context.Context, src content.Fetcher, d content.Descriptor) error {
	rc, err := src.Fetch(ctx, d)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, rc)
	return errors.Join(err, rc.Close())
}

// sending is the body of an upload. It tells how far it is, keeps what went wrong in
// reading it, and the time since anything was taken of it.
type sending struct {
	from  io.ReadCloser
	to    content.Progress
	stall time.Duration
	watch *time.Timer

	mu    sync.Mutex // the request may have an answer before all is read
	event content.Event
	err   error
}

// Read reads on.
func (s *sending) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.moved(int64(n), err)
	return n, err
}

// moved counts n bytes that went. At the end the registry may take its time.
func (s *sending) moved(n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && err != io.EOF {
		s.err = err
	}
	if s.event.Finished {
		return
	}
	s.event.Done += n
	s.event.Finished = err != nil || s.event.Done >= s.event.Total
	s.to.Report(s.event)
	if s.event.Finished {
		s.watch.Stop()
	} else {
		s.watch.Reset(s.stall)
	}
}

// failed is what went wrong in reading.
func (s *sending) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close closes what is read.
func (s *sending) Close() error { return s.from.Close() }

// movedAtOnce is how much of a file the kernel is asked to move, between two looks at
// how far it is.
const movedAtOnce = 1 << 20

// A conn is a connection that lets the kernel move files to it. Above TLS nobody asks
// for that.
type conn struct{ *net.TCPConn }

// ReadFrom sends what r has.
func (c conn) ReadFrom(r io.Reader) (sum int64, err error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return c.TCPConn.ReadFrom(r)
	}
	body, ok := limited.R.(*sending)
	if !ok {
		return c.TCPConn.ReadFrom(r)
	}
	if _, ok := body.from.(blobFile); !ok {
		return c.TCPConn.ReadFrom(r)
	}
	for limited.N > 0 && err == nil {
		var n int64
		n, err = c.TCPConn.ReadFrom(io.LimitReader(body.from, min(limited.N, movedAtOnce)))
		sum += n
		limited.N -= n
		body.moved(n, nil)
		if n == 0 {
			break // the file became shorter, which the request finds out
		}
	}
	return sum, err
}
