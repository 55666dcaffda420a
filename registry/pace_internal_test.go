package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slow answers after a second and counts how many it is asked at once.
type slow struct {
	mu            sync.Mutex
	now, most, of int
}

func (s *slow) RoundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.now++
	s.of++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// TestPace: on a clock of its own, a host is asked as often, and by as many at once, as
// it wants; others are asked at once.
func TestPace(t *testing.T) {
	for name, test := range map[string]struct {
		perSecond  float64
		concurrent int
		host       string
		most       int
		takes      time.Duration // for twelve requests of a second each
	}{
		"no limit":   {0, 0, "a", 12, time.Second},
		"concurrent": {0, 3, "a", 3, 4 * time.Second},
		"rate":       {1.25, 0, "a", 2, 9800 * time.Millisecond},
		"slow rate":  {0.5, 0, "a", 1, 23 * time.Second},
		"both":       {2, 1, "a", 1, 12 * time.Second},
		"elsewhere":  {0.5, 1, "b", 12, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{}
				p := paced{s, "a", newPace(test.perSecond, test.concurrent)}
				began := time.Now()
				var all sync.WaitGroup
				for range 12 {
					all.Go(func() {
						resp, err := p.RoundTrip(&http.Request{URL: &url.URL{Host: test.host}})
						if err != nil {
							t.Error(err)
							return
						}
						_ = resp.Body.Close()
					})
				}
				all.Wait()
				if took := time.Since(began); s.of != 12 || s.most != test.most || took != test.takes {
					t.Errorf("%d requests, %d at once, in %s; want 12, %d, %s", s.of, s.most, took, test.most, test.takes)
				}
			})
		})
	}
}

// TestPaceStops: who waits for its turn can be stopped, and leaves no place taken.
func TestPaceStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		p := paced{s, "a", newPace(0.1, 1)}
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		for i, want := range []error{nil, context.DeadlineExceeded, context.DeadlineExceeded} {
			req := (&http.Request{URL: &url.URL{Host: "a"}}).WithContext(ctx)
			resp, err := p.RoundTrip(req)
			if !errors.Is(err, want) {
				t.Errorf("request %d: %v, want %v", i, err, want)
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
		if s.of != 1 || len(p.pace.slots) != 0 {
			t.Errorf("%d were sent, %d places are taken", s.of, len(p.pace.slots))
		}
	})
}
