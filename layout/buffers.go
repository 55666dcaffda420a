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

// streamed is how much of a buffer serves for what comes from a connection: that gives
// less at once, and what it gave is still in the core's cache when it is hashed and
// written.
const streamed = 128 << 10

// onlyWriter hides a writer's ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
