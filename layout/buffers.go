package layout

import (
	"io"
	"sync"
)

// copyBuffers hands out buffers of 1 MiB: a fresh one for each blob would cost more
// in page faults than its copy.
var copyBuffers = sync.Pool{New: func() any {
	b := make([]byte, 1<<20)
	return &b
}}

// onlyWriter hides a writer's ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
