package verify

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/ocilayout/ocilayout/content"
)

// A keeper keeps the bytes of manifests and configs for those who look at them once
// more, up to a bound; beyond it they are read again.
type keeper struct {
	mu    sync.Mutex
	size  int
	blobs map[content.Digest][]byte // nil keeps nothing
}

// mostKept is how many bytes a keeper keeps.
const mostKept = 64 << 20

// keep keeps a copy of proven bytes.
func (k *keeper) keep(d content.Digest, data []byte) {
	if k.blobs == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.size += len(data); k.size <= mostKept {
		k.blobs[d] = bytes.Clone(data)
	}
}

// readAgain shows the layout to who reads what the check has read.
type readAgain struct{ *checker }

// Fetch opens a blob, from memory if it was kept.
func (v readAgain) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if data := v.kept.blobs[d.Digest]; data != nil {
		return content.Verify(io.NopCloser(bytes.NewReader(data)), d), nil
	}
	return v.r.Fetch(ctx, d)
}

// Size is that of a blob as it was when the check met it.
func (v readAgain) Size(ctx context.Context, d content.Digest) (int64, error) {
	if t := v.targets[d]; t != nil && t.size >= 0 {
		return t.size, nil
	}
	return v.r.Size(ctx, d)
}
