package registry

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A pace holds requests to one host back, so that there are not more than is good for
// it. It counts until the answer begins: what reads an answer may ask for another.
type pace struct {
	slots chan struct{} // nil is no limit
	every time.Duration // between two requests; 0 is no limit

	mu   sync.Mutex
	next time.Time
}

func newPace(perSecond float64, concurrent int) *pace {
	p := &pace{}
	if perSecond > 0 {
		p.every = time.Duration(float64(time.Second) / perSecond)
	}
	if concurrent > 0 {
		p.slots = make(chan struct{}, concurrent)
	}
	return p
}

// begin waits until a request may be sent. Whoever got true calls end.
func (p *pace) begin(ctx context.Context) error {
	if p.slots != nil {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if wait := p.reserve(); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			p.end()
			return context.Cause(ctx)
		}
	}
	return nil
}

// reserve takes the next time at which a request may be sent, and says how far it is.
func (p *pace) reserve() time.Duration {
	if p.every == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.every)
	return at.Sub(now)
}

func (p *pace) end() {
	if p.slots != nil {
		<-p.slots
	}
}

// paced sends what is for one host at its pace, and all else at once.
type paced struct {
	base http.RoundTripper
	host string
	pace *pace
}

// RoundTrip sends the request when it is its turn.
func (p paced) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != p.host {
		return p.base.RoundTrip(req)
	}
	if err := p.pace.begin(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must
		}
		return nil, err
	}
	defer p.pace.end()
	return p.base.RoundTrip(req)
}
