package registry

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errStalled is the error of a Read that waited for too long.
var errStalled = errors.New("it stands still")

// patient gives answers up that stand still, whoever sends them: the registry, its token
// service, or where it redirects to.
type patient struct {
	base  http.RoundTripper
	stall time.Duration
}

// RoundTrip sends the request.
func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.base.RoundTrip(req)
	if err == nil && resp.Body != http.NoBody {
		resp.Body = newWatched(resp.Body, p.stall)
	}
	return resp, err
}

// A watched body is closed while a Read waits for too long.
type watched struct {
	io.ReadCloser
	stall   time.Duration
	watch   *time.Timer
	stalled atomic.Bool
}

func newWatched(body io.ReadCloser, stall time.Duration) *watched {
	w := &watched{ReadCloser: body, stall: stall}
	w.watch = time.AfterFunc(stall, func() {
		w.stalled.Store(true)
		_ = body.Close() // which ends the Read
	})
	w.watch.Stop() // until there is one
	return w
}

// Read reads on.
func (w *watched) Read(p []byte) (int, error) {
	w.watch.Reset(w.stall)
	n, err := w.ReadCloser.Read(p)
	w.watch.Stop()
	if err != nil && err != io.EOF && w.stalled.Load() {
		err = errStalled
	}
	return n, err
}
