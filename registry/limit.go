package registry

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// A remainder is how many requests a host said that it will still answer, plus one; 0 is
// unknown.
type remainder struct{ plusOne atomic.Int64 }

// note reads "RateLimit-Remaining: 76;w=21600", as docker.io has it.
func (r *remainder) note(h http.Header) {
	text, _, _ := strings.Cut(h.Get("RateLimit-Remaining"), ";")
	if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32); err == nil && n >= 0 {
		r.plusOne.Store(n + 1)
	}
}

// Remaining is how many requests the host of the repository said last that it will still
// answer for now; false if it has not said. What it counts is its own affair: docker.io
// counts manifests that are read, and not Resolve.
func (r *Repository) Remaining() (int, bool) {
	n := r.c.left.plusOne.Load()
	return int(n - 1), n > 0
}
