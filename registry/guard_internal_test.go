package registry

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

type sent struct{ requests int }

func (s *sent) RoundTrip(*http.Request) (*http.Response, error) {
	s.requests++
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// TestGuard: secrets do not leave the machine without TLS.
func TestGuard(t *testing.T) {
	for _, test := range []struct {
		method, url, header, value string
		ok                         bool
	}{
		{"GET", "http://registry.example.com/v2/", "Authorization", "Basic x", false},
		{"GET", "http://10.0.0.1:5000/v2/", "Authorization", "Bearer x", false},
		{"POST", "http://auth.example.com/token", "Content-Type", "application/x-www-form-urlencoded", false},
		{"GET", "http://localhost.example.com/", "Authorization", "Basic x", false},
		{"GET", "http://registry.example.com/v2/", "Accept", "x", true},
		{"GET", "https://registry.example.com/v2/", "Authorization", "Basic x", true},
		{"GET", "http://127.0.0.1:5000/v2/", "Authorization", "Basic x", true},
		{"GET", "http://[::1]:5000/v2/", "Authorization", "Basic x", true},
	} {
		req, err := http.NewRequest(test.method, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(test.header, test.value)
		s := &sent{}
		resp, err := guard{s, func() {}}.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if (s.requests == 1) != test.ok || test.ok == errors.Is(err, content.ErrRefused) {
			t.Errorf("%s %s: %d sent, %v", test.url, test.header, s.requests, err)
		}
	}
}

// TestRealmBlocks: a public registry's tokens do not come from inside.
func TestRealmBlocks(t *testing.T) {
	inside := netip.MustParsePrefix("10.0.0.0/8")
	local := netip.MustParsePrefix("127.0.0.0/8")
	for host, want := range map[string][2]bool{"203.0.113.1": {true, true}, "10.1.2.3": {false, true}, "127.0.0.1": {false, false}} {
		got := Options{}.realmBlocks(context.Background(), &url.URL{Scheme: "https", Host: host})
		if slices.Contains(got, inside) != want[0] || slices.Contains(got, local) != want[1] {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestPolicy(t *testing.T) {
	p := policy{time.Second, maxRetries}
	for _, test := range []struct {
		attempt, status int
		after           string
		least, most     time.Duration
	}{
		{0, 503, "", time.Second, 2 * time.Second},
		{2, 429, "", 4 * time.Second, 5 * time.Second},
		{0, 429, "7", 7 * time.Second, 7 * time.Second},
		{0, 429, "3600", -1, -1},
		{5, 500, "", -1, -1},
		{0, 404, "", -1, -1},
		{0, 501, "", -1, -1},
	} {
		resp := &http.Response{StatusCode: test.status, Header: http.Header{}}
		if test.after != "" {
			resp.Header.Set("Retry-After", test.after)
		}
		if got, err := p.Retry(test.attempt, resp, nil); err != nil || got < test.least || got > test.most {
			t.Errorf("%+v: %v, %v", test, got, err)
		}
	}
}

func TestReferences(t *testing.T) {
	for text, want := range map[string]string{
		"docker://app":                   "docker.io/library/app",
		"localhost:5000/a/b:v1":          "localhost:5000/a/b:v1",
		"docker://[::1]:5000/a":          "[::1]:5000/a",
		"r.example.com/a:v1@sha256:" + h: "r.example.com/a:v1@sha256:" + h,
		"r.example.com/A":                "",
		"r.example.com/a@sha256:12":      "",
		"":                               "",
	} {
		ref, err := ParseReference(text)
		if want == "" {
			if !errors.Is(err, content.ErrInvalid) {
				t.Errorf("%q: %v, %v", text, ref, err)
			}
		} else if err != nil || ref.String() != want {
			t.Errorf("%q: %v, %v", text, ref, err)
		}
	}
}

const h = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
