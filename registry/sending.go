package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// sourceStalls is how many times longer than a registry the source of an upload may stand
// still: it may be another registry, whose connections have watches of their own.
const sourceStalls = 10

// sendBlob sends body, which is openBlob's, and closes it. What openBlob
// proves is sent to its last byte only once it is proven, so that the registry never has
// all of wrong bytes.
func (r *Repository) sendBlob(ctx context.Context, target *url.URL, authorization string, body io.ReadCloser, d content.Descriptor) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	sent := &sending{r: body, c: body, stall: r.c.o.Stall}
	if _, ok := body.(*movable); !ok {
		sent.r = &lastHeld{r: content.Track(ctx, body, "push", content.Short(d.Digest), d.Size)}
	}
	sent.watch = time.AfterFunc(sent.stall, func() {
		stop(content.Errorf(ErrUnavailable, "%s takes nothing for %s", r.c.host, sent.stall))
	})
	sent.watch.Stop() // until the first Read: before that the request may wait for its turn
	defer sent.watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target.String(), sent)
	if err != nil {
		return errors.Join(err, body.Close())
	}
	req.ContentLength = d.Size
	if d.Size == 0 { // a body that is there would be sent without a length
		req.Body = http.NoBody
		if _, err := io.Copy(io.Discard, sent); err != nil {
			return sourceError{errors.Join(err, body.Close())}
		}
		if err := body.Close(); err != nil {
			return sourceError{err}
		}
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := r.c.do(req)
	if cause := sent.failure(); cause != nil && ctx.Err() == nil {
		return sourceError{errors.Join(cause, discard(resp))}
	}
	if err != nil {
		return startedError{error: err, passes: errors.Is(err, ErrUnavailable)}
	}
	if resp.StatusCode != http.StatusCreated {
		return notTaken(resp)
	}
	return resp.Body.Close()
}

func discard(resp *http.Response) error {
	if resp == nil {
		return nil
	}
	return resp.Body.Close()
}

// sending is the body of an upload: it keeps what went wrong in reading it, and the
// time since anything was taken of it.
type sending struct {
	r     io.Reader
	c     io.Closer
	watch *time.Timer
	stall time.Duration

	mu  sync.Mutex
	err error
}

// Read reads on. Meanwhile it is the registry that waits, and at the end it may take its
// time.
func (s *sending) Read(p []byte) (int, error) {
	s.watch.Reset(sourceStalls * s.stall)
	n, err := s.r.Read(p)
	if err == nil {
		s.watch.Reset(s.stall)
		return n, nil
	}
	s.watch.Stop()
	if err != io.EOF {
		s.fail(err)
	}
	return n, err
}

func (s *sending) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *sending) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close closes what is read.
func (s *sending) Close() error { return s.c.Close() }

// lastHeld holds back the last byte of what it reads until the end says that all are
// right. After io.EOF what it reads must say that again.
type lastHeld struct {
	r    io.Reader
	last byte
	held bool
}

// Read reads on.
func (h *lastHeld) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	at := 0 // where what is read goes
	if h.held && len(p) > 1 {
		at = 1
	}
	n, err := h.r.Read(p[at:])
	if n > 0 {
		last := p[at+n-1]
		if h.held {
			p[0] = h.last
		} else {
			n--
		}
		h.last, h.held = last, true
	}
	if err == io.EOF && h.held {
		if n == len(p) {
			return n, nil
		}
		p[n], h.held = h.last, false
		return n + 1, io.EOF
	}
	return n, err
}
