package registry

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"syscall"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A blobFile is a blob that is a file of its own, at its start.
type blobFile interface {
	io.ReadCloser
	syscall.Conn
}

// A fileStore is a source whose blobs may be files: a layout.
type fileStore interface {
	ReaderAt(context.Context, content.Digest) (layout.BlobAt, error)
}

// openBlob opens what is to be sent. A file is sent as it lies there, so that the kernel
// can move it, and proven meanwhile, unless the registry is near: on this machine, which
// needs to hash once only, and the registry must. What it does not take is then for
// proveOwn to look at. All else proves itself while it is read.
func openBlob(ctx context.Context, src content.Fetcher, d content.Descriptor, near bool) (io.ReadCloser, error) {
	store, ok := src.(fileStore)
	if !ok {
		return src.Fetch(ctx, d)
	}
	at, err := store.ReaderAt(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	if f, ok := at.(blobFile); ok && at.Size() == d.Size {
		m := newMovable(ctx, f, d)
		if !near {
			m.prove(ctx, at, d)
		}
		return m, nil
	}
	if err := at.Close(); err != nil {
		return nil, err
	}
	return src.Fetch(ctx, d)
}

// proveOwn reads a blob of a file that was not taken, and says what is wrong with it.
func proveOwn(ctx context.Context, src content.Fetcher, d content.Descriptor) error {
	store, ok := src.(fileStore)
	if !ok {
		return nil
	}
	at, err := store.ReaderAt(ctx, d.Digest)
	if err != nil {
		return err
	}
	return errors.Join(prove(ctx, at, d), at.Close())
}

// A movable is a file that tells how far it is. It is used by one goroutine at a time.
type movable struct {
	blobFile
	to    content.Progress
	event content.Event

	// Of the proof, if there is one.
	stop    context.CancelFunc
	ended   chan struct{}
	verdict error
}

func newMovable(ctx context.Context, f blobFile, d content.Descriptor) *movable {
	event := content.Event{Op: "push", Name: content.Short(d.Digest), Total: d.Size}
	return &movable{blobFile: f, to: content.ProgressFrom(ctx), event: event}
}

// prove begins the proof, in a goroutine that Close ends.
func (m *movable) prove(ctx context.Context, at io.ReaderAt, d content.Descriptor) {
	ctx, m.stop = context.WithCancel(ctx)
	m.ended = make(chan struct{})
	go func() {
		defer close(m.ended)
		m.verdict = prove(ctx, at, d)
	}()
}

// prove reads all of r and says whether it is want.
func prove(ctx context.Context, r io.ReaderAt, want content.Descriptor) error {
	body := content.Verify(io.NopCloser(io.NewSectionReader(r, 0, math.MaxInt64)), want)
	buf := make([]byte, 256<<10)
	for {
		if _, err := body.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// proven waits for the proof.
func (m *movable) proven() error {
	if m.ended != nil {
		<-m.ended
	}
	return m.verdict
}

// Read reads on, to the end only of what is proven, if it is to be.
func (m *movable) Read(p []byte) (int, error) {
	if m.event.Done+int64(len(p)) >= m.event.Total {
		if err := m.proven(); err != nil {
			return 0, err
		}
	}
	n, err := m.blobFile.Read(p)
	m.moved(int64(n), err)
	return n, err
}

func (m *movable) moved(n int64, err error) {
	if m.event.Finished {
		return
	}
	m.event.Done += n
	m.event.Finished = err != nil
	m.to.Report(m.event)
}

// Close ends the proof, and closes the file.
func (m *movable) Close() error {
	if m.ended != nil {
		m.stop()
		<-m.ended
	}
	return m.blobFile.Close()
}

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
	file, ok := body.r.(*movable)
	if !ok {
		return c.TCPConn.ReadFrom(r)
	}
	for limited.N > 0 {
		if limited.N <= movedAtOnce { // the last of it
			body.watch.Reset(sourceStalls * body.stall)
			if err := file.proven(); err != nil {
				body.fail(err)
				return sum, err
			}
			body.watch.Reset(body.stall)
		}
		n, err := c.TCPConn.ReadFrom(io.LimitReader(file.blobFile, min(limited.N, movedAtOnce)))
		sum += n
		limited.N -= n
		file.moved(n, nil)
		if err != nil || n == 0 { // of a file that became shorter, which the request finds out
			return sum, err
		}
		body.watch.Reset(body.stall)
	}
	return sum, nil
}
