package content

import (
	"bytes"
	"context"
	"io"
)

// Fetcher reads content. The reader that Fetch returns proves the content: its
// last Read returns io.EOF only if size and digest were right, ErrSize or
// ErrDigest otherwise. The caller closes it. Absent content is ErrNotFound.
type Fetcher interface {
	Fetch(ctx context.Context, target Descriptor) (io.ReadCloser, error)
}

// FetcherFrom is a Fetcher that can begin a blob at an offset. The reader that FetchFrom
// returns proves nothing: its bytes follow the first offset ones of target, which the
// caller has and proves with them. That it can't begin there is ErrCorrupt.
type FetcherFrom interface {
	FetchFrom(ctx context.Context, target Descriptor, offset int64) (io.ReadCloser, error)
}

// Pusher writes content. Push reads r to its end, whatever it returns, only as
// far as needed to decide; it fails, and keeps nothing, unless r's bytes are what
// expected says. Content that is there already and right is no error.
type Pusher interface {
	Push(ctx context.Context, expected Descriptor, r io.Reader) error
}

// Exister tells whether content is there in full: a blob of another size is not.
type Exister interface {
	Exists(ctx context.Context, target Descriptor) (bool, error)
}

// Store reads and writes content.
type Store interface {
	Fetcher
	Pusher
	Exister
}

// Resolver turns a name into a descriptor. An unknown name is ErrNotFound.
type Resolver interface {
	Resolve(ctx context.Context, name string) (Descriptor, error)
}

// firstBuffer caps what is allocated before any byte has arrived: a descriptor
// may lie about its size, and many may lie at once.
const firstBuffer = 64 << 10

// FetchAll reads the whole of target, which must be at most max bytes; more is
// ErrRefused before anything is read. It returns proven bytes.
func FetchAll(ctx context.Context, f Fetcher, target Descriptor, max int64) ([]byte, error) {
	if target.Size < 0 {
		return nil, AtDigest(target.Digest, Errorf(ErrSize, "descriptor says size %d", target.Size))
	}
	if target.Size > max {
		return nil, AtDigest(target.Digest, Errorf(ErrRefused, "%d bytes are over the limit of %d", target.Size, max))
	}
	rc, err := f.Fetch(ctx, target)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	buf := bytes.NewBuffer(make([]byte, 0, min(target.Size+bytes.MinRead, firstBuffer)))
	if _, err := buf.ReadFrom(rc); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
