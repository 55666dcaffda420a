package registry

import (
	"context"
	"errors"
	"io"
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
// can move it; that its bytes are right is for the registry to see, and for proveOwn to
// say if it does not take them. All else proves itself while it is read.
func openBlob(ctx context.Context, src content.Fetcher, d content.Descriptor) (io.ReadCloser, error) {
	store, ok := src.(fileStore)
	if !ok {
		return src.Fetch(ctx, d)
	}
	at, err := store.ReaderAt(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	if f, ok := at.(blobFile); ok && at.Size() == d.Size {
		return &movable{blobFile: f, to: content.ProgressFrom(ctx), event: content.Event{Op: "push", Name: content.Short(d.Digest), Total: d.Size}}, nil
	}
	if err := at.Close(); err != nil {
		return nil, err
	}
	return src.Fetch(ctx, d)
}

// proveOwn reads a blob that was not taken, and says what is wrong with it here. It does
// nothing where openBlob's proves itself.
func proveOwn(ctx context.Context, src content.Fetcher, d content.Descriptor) error {
	if _, ok := src.(fileStore); !ok {
		return nil
	}
	rc, err := src.Fetch(ctx, d)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, rc)
	return errors.Join(err, rc.Close())
}

// A movable is a file that tells how far it is. It is used by one goroutine at a time.
type movable struct {
	blobFile
	to    content.Progress
	event content.Event
}

// Read reads on.
func (m *movable) Read(p []byte) (int, error) {
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
