package contenttest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"sync"

	"github.com/ocilayout/ocilayout/content"
)

// Memory is the smallest content.Store: a map. It is safe for concurrent use, and
// counts what is asked of it, for tests that say how often content may be read.
type Memory struct {
	mu      sync.Mutex
	blobs   map[content.Digest][]byte
	fetches map[content.Digest]int
}

var _ content.Store = (*Memory)(nil)

// NewMemory returns a store with the given blobs, which are not proven: a test may
// put in wrong ones.
func NewMemory(blobs map[content.Digest][]byte) *Memory {
	m := &Memory{blobs: maps.Clone(blobs), fetches: map[content.Digest]int{}}
	if m.blobs == nil {
		m.blobs = map[content.Digest][]byte{}
	}
	return m
}

// Fetches is how often d was fetched.
func (m *Memory) Fetches(d content.Digest) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fetches[d]
}

// Len is the number of blobs.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.blobs)
}

func (m *Memory) get(d content.Digest) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.blobs[d]
	return data, ok
}

// Fetch implements content.Fetcher.
func (m *Memory) Fetch(ctx context.Context, target content.Descriptor) (io.ReadCloser, error) {
	if err := content.CheckDigest(target.Digest); err != nil {
		return nil, err
	}
	data, ok := m.get(target.Digest)
	if !ok {
		return nil, content.AtDigest(target.Digest, content.Errorf(content.ErrNotFound, "no such blob"))
	}
	m.mu.Lock()
	m.fetches[target.Digest]++
	m.mu.Unlock()
	return content.Verify(io.NopCloser(bytes.NewReader(data)), target), nil
}

// Exists implements content.Exister.
func (m *Memory) Exists(ctx context.Context, target content.Descriptor) (bool, error) {
	data, ok := m.get(target.Digest)
	return ok && int64(len(data)) == target.Size, nil
}

// Push implements content.Pusher.
func (m *Memory) Push(ctx context.Context, expected content.Descriptor, r io.Reader) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	data, err := io.ReadAll(content.Verify(io.NopCloser(r), expected))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[expected.Digest] = data
	return nil
}
