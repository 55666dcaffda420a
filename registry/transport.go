package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/ocilayout/ocilayout/content"
)

const (
	maxRetries   = 5
	maxRedirects = 10
	// maxPause is the longest Retry-After that is waited for; a longer one is an error.
	maxPause = 2 * time.Minute
	// defaultStall is how long a transfer may stand still.
	defaultStall = time.Minute
	// headerWait is how long a registry may take to answer; it may hash a large blob.
	headerWait = 5 * time.Minute
)

// httpClient makes what all requests to one registry go through.
func (o Options) httpClient() (*http.Client, error) {
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	base := &http.Transport{
		Proxy:                 o.proxy,
		DialContext:           o.dial,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: headerWait,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   2 * workers,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // digests are of the bytes as they are sent
	}
	tried := &retry.Transport{Base: guard{base}, Policy: func() retry.Policy { return policy{o.pause()} }}
	return &http.Client{Transport: tried, CheckRedirect: checkRedirect}, nil
}

func (o Options) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, content.At(o.CAFile, content.Errorf(content.ErrInvalid, "there is no certificate in it"))
		}
		config.RootCAs = roots
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, content.At(o.CertFile, content.Errorf(content.ErrInvalid, "client certificate: %v", err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// guard sends no secret over plain HTTP to another machine.
type guard struct{ base http.RoundTripper }

// RoundTrip sends the request, or fails if it would tell a secret.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	secret := req.Header.Get("Authorization") != "" || req.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
	if secret && req.URL.Scheme != "https" && !isLoopback(req.URL.Host) {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must
		}
		return nil, &guardError{"credentials are not sent to " + req.URL.Host + " over plain HTTP"}
	}
	return g.base.RoundTrip(req)
}

// checkRedirect follows as net/http would, but not from https to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return &guardError{via[0].URL.Host + " redirects without end"}
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return &guardError{via[0].URL.Host + " redirects to plain HTTP"}
	}
	return nil
}

// policy says when a request is tried again: after 429, 5xx and dropped connections.
type policy struct{ pause time.Duration }

// Retry returns how long to wait, or less than 0 for no further try.
func (p policy) Retry(attempt int, resp *http.Response, err error) (time.Duration, error) {
	if attempt >= maxRetries || !transient(resp, err) {
		return -1, nil
	}
	wait := p.pause << attempt
	wait += rand.N(wait/4 + 1)
	if resp != nil {
		if asked, ok := retryAfter(resp.Header.Get("Retry-After")); ok {
			wait = asked
		}
	}
	if wait > maxPause {
		return -1, nil
	}
	return wait, nil
}

func transient(resp *http.Response, err error) bool {
	if err == nil {
		return resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode == http.StatusTooManyRequests ||
			resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented
	}
	return dropped(err)
}

// dropped says whether a connection ended that had been there.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) ||
		strings.Contains(err.Error(), "server closed idle connection")
}

// retryAfter reads a number of seconds or a date.
func retryAfter(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0), true
	}
	return 0, false
}
