package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry/internal/hosts"
)

const (
	maxRetries = 5
	// mirrorRetries is how often a mirror is asked again, after which the next one is.
	mirrorRetries = 1
	maxRedirects  = 10
	// maxPause is the longest Retry-After that is waited for; a longer one is an error.
	maxPause = 2 * time.Minute
	// defaultStall is how long a transfer may stand still.
	defaultStall = time.Minute
	// dialWait is how long a connection may take.
	dialWait = 15 * time.Second
	// headerWait is how long a registry may take to answer; it may hash a large blob.
	headerWait = 5 * time.Minute
)

// transport is what all requests to one endpoint go through, whose API is at base: the
// headers that a file names, then the guard, then the pace, then the watch for what stands
// still.
func (o Options) transport(e hosts.Endpoint, base *url.URL, p *pace) (http.RoundTripper, error) {
	config, err := o.tlsConfig(e)
	if err != nil {
		return nil, err
	}
	if e.Dial == 0 {
		e.Dial = dialWait
	}
	t := &http.Transport{
		Proxy: o.proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return o.dial(ctx, e.Dial, network, address)
		},
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: headerWait,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   2 * workers,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // digests are of the bytes as they are sent
	}
	warn := func() {}
	if config.InsecureSkipVerify {
		warn = sync.OnceFunc(func() { o.Warn(notChecked(o, e)) })
	}
	return headed{guard{paced{patient{t, o.Stall}, base.Host, p}, warn}, base.Host, e.Header}, nil
}

// notChecked is the warning about any certificate being good enough.
func notChecked(o Options, e hosts.Endpoint) error {
	why := ""
	if !o.Insecure {
		why = ", as " + e.From + " says"
	}
	return content.At(e.Host, content.Errorf(content.ErrRefused, "its certificate is NOT CHECKED%s: anyone on the way can read and change what is sent", why))
}

// systemRoots are the authorities that this machine trusts, as far as they are known.
func systemRoots() *x509.CertPool {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return roots
}

func (o Options) tlsConfig(e hosts.Endpoint) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure || e.Insecure}
	type authority struct {
		from string
		pem  []byte
	}
	var trusted []authority
	if len(o.CA) > 0 {
		trusted = append(trusted, authority{e.Host, o.CA})
	}
	files := e.CA
	if o.CAFile != "" {
		files = append([]string{o.CAFile}, files...)
	}
	for _, path := range files {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, authority{path, pem})
	}
	for i, t := range trusted {
		if i == 0 {
			config.RootCAs = systemRoots()
		}
		if !config.RootCAs.AppendCertsFromPEM(t.pem) {
			return nil, content.At(t.from, content.Errorf(content.ErrInvalid, "there is no certificate in it"))
		}
	}
	if len(o.Cert) > 0 {
		pair, err := tls.X509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, content.At(e.Host, content.Errorf(content.ErrInvalid, "client certificate: %v", err))
		}
		config.Certificates = append(config.Certificates, pair)
	}
	own := e.Client
	if o.CertFile != "" || o.KeyFile != "" {
		own = [][2]string{{o.CertFile, o.KeyFile}}
	}
	for _, files := range own {
		pair, err := tls.LoadX509KeyPair(files[0], files[1])
		if err != nil {
			return nil, content.At(files[0], content.Errorf(content.ErrInvalid, "client certificate: %v", err))
		}
		config.Certificates = append(config.Certificates, pair)
	}
	return config, nil
}

// headed adds what a file says to what is sent to one host.
type headed struct {
	base   http.RoundTripper
	host   string
	header http.Header
}

// RoundTrip sends the request. A redirect elsewhere is one without these headers.
func (h headed) RoundTrip(req *http.Request) (*http.Response, error) {
	if len(h.header) > 0 && req.URL.Host == h.host {
		req = req.Clone(req.Context())
		for name, values := range h.header {
			if req.Header.Get(name) == "" { // what the registry asked for comes first
				req.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
	}
	return h.base.RoundTrip(req)
}

// guard sends no secret over plain HTTP to another machine, and warns once if anybody's
// certificate will do.
type guard struct {
	base http.RoundTripper
	warn func()
}

// RoundTrip sends the request, or fails if it would tell a secret.
func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	secret := req.Header.Get("Authorization") != "" || req.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
	if secret && req.URL.Scheme != "https" && !isLoopback(req.URL.Host) {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must
		}
		return nil, &guardError{"credentials are not sent to " + req.URL.Host + " over plain HTTP"}
	}
	if req.URL.Scheme == "https" {
		g.warn()
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
type policy struct {
	pause time.Duration
	tries int // beside the first
}

// Retry returns how long to wait, or less than 0 for no further try.
func (p policy) Retry(attempt int, resp *http.Response, err error) (time.Duration, error) {
	if attempt >= p.tries || !transient(resp, err) {
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
