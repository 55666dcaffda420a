package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry/internal/hosts"
)

// A Session is all that one run says to registries: the repositories of a host share
// its connections and certificates, and each keeps its tokens for whoever opens it
// again. It is safe for concurrent use. There is nothing to close: connections end by
// themselves.
type Session struct {
	o     Options
	hosts map[string]Options

	mu    sync.Mutex
	files map[[2]string]*hosts.Config // by HostsDir and RegistriesConf
	lines map[string]*line            // by endpoint
	paces map[string]*pace            // by host
	repos map[string]*Repository      // by host and repository
}

// NewSession makes ready to speak to registries as o says; to those in hosts, which are
// called as in a Reference, as it is said there. Nothing is sent.
func NewSession(o Options, perHost map[string]Options) *Session {
	return &Session{
		o: o, hosts: perHost, files: map[[2]string]*hosts.Config{},
		lines: map[string]*line{}, paces: map[string]*pace{}, repos: map[string]*Repository{},
	}
}

// options are those for a host, every one set. One that the user did not name, but a
// file, is not told what is meant for the other: its user and its certificates.
func (s *Session) options(host string, named bool) Options {
	o, ok := s.hosts[host]
	if !ok {
		o = s.o
		if !named {
			o = Options{
				AuthFile: o.AuthFile, NoAuthFiles: o.NoAuthFiles, Resolve: o.Resolve, UserAgent: o.UserAgent, Stall: o.Stall, Pause: o.Pause,
				RequestsPerSecond: o.RequestsPerSecond, Concurrent: o.Concurrent, Limits: o.Limits, Warn: o.Warn,
			}
		}
	}
	return o.withDefaults()
}

// route is what files say of a repository; s.mu is held.
func (s *Session) route(host, repository string) (hosts.Route, error) {
	o := s.options(host, true)
	key := [2]string{o.HostsDir, o.RegistriesConf}
	if s.files[key] == nil {
		s.files[key] = hosts.New(hosts.Defaults(o.HostsDir, o.RegistriesConf))
	}
	return s.files[key].For(host, repository)
}

// Open makes ready to speak about ref's repository with the registry itself. Nothing is
// sent. The credentials are those for ref.
func (s *Session) Open(_ context.Context, ref Reference) (*Repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if repo, ok := s.repos[ref.Name()]; ok {
		return repo, nil
	}
	route, err := s.route(ref.Host, ref.Repository)
	if err != nil {
		return nil, err
	}
	repo, err := s.repository(ref, route.Write)
	if err == nil {
		s.repos[ref.Name()] = repo
	}
	return repo, err
}

// OpenToRead is Open for what is only read: the mirrors of the registry, if there are
// any, are asked before itself. Content is asked for by its tag or digest as the mirror
// is set up for; lists, of tags and of referrers, are asked for there only if the
// registry does not give them, since a mirror need not know all.
func (s *Session) OpenToRead(_ context.Context, ref Reference) (*Repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := "read " + ref.Name()
	if repo, ok := s.repos[key]; ok {
		return repo, nil
	}
	endpoints, err := s.endpoints(ref)
	if err != nil {
		return nil, err
	}
	last := len(endpoints) - 1
	repo, err := s.repository(ref, endpoints[last])
	if err != nil {
		return nil, err
	}
	for _, e := range endpoints[:last] {
		there, err := s.repository(ref, e)
		if err != nil {
			return nil, err
		}
		repo.mirrors = append(repo.mirrors, &mirror{Repository: there, tags: e.Tags, digests: e.Digests, digestsOfTag: e.DigestsOfTag})
	}
	s.repos[key] = repo
	return repo, nil
}

// endpoints are where ref's repository is read from, itself the last.
func (s *Session) endpoints(ref Reference) ([]hosts.Endpoint, error) {
	route, err := s.route(ref.Host, ref.Repository)
	if err != nil {
		return nil, err
	}
	named := s.options(ref.Host, true).Mirrors
	if named == nil {
		return route.Read, nil
	}
	var all []hosts.Endpoint
	for _, host := range named {
		there, err := s.route(host, ref.Repository)
		if err != nil {
			return nil, err
		}
		all = append(all, there.Write)
	}
	return append(all, route.Write), nil
}

// repository is ref's at an endpoint; s.mu is held.
func (s *Session) repository(ref Reference, e hosts.Endpoint) (*Repository, error) {
	l, err := s.line(e, e.Host == ref.Host)
	if err != nil {
		return nil, err
	}
	ref.Host, ref.Repository = e.Host, e.Repository
	return &Repository{c: l.client(ref), ref: ref}, nil
}

// line is what leads to an endpoint; s.mu is held.
func (s *Session) line(e hosts.Endpoint, named bool) (*line, error) {
	e.Repository = ""
	key := fmt.Sprintf("%t %+v", named, e)
	if l, ok := s.lines[key]; ok {
		return l, nil
	}
	o := s.options(e.Host, named)
	if s.paces[e.Host] == nil {
		s.paces[e.Host] = newPace(o.RequestsPerSecond, o.Concurrent)
	}
	l, err := newLine(o, e, s.paces[e.Host], named)
	if err == nil {
		s.lines[key] = l
	}
	return l, err
}

// A line leads to one endpoint, whoever speaks.
type line struct {
	o         Options
	host      string // as the user, or a file, names it
	base      url.URL
	prefix    string // of repositories there, with a slash behind
	namespace string // the registry that a mirror of several is asked for
	http      *http.Client
	left      remainder

	settle sync.Once // whether it speaks TLS, if that is not known
	lookUp sync.Once
	realms []netip.Prefix // where its token service may not be
}

// newLine makes ready to reach an endpoint, which the user named or a file. It sends
// nothing.
func newLine(o Options, e hosts.Endpoint, p *pace, named bool) (*line, error) {
	if o.PlainHTTP && o.secure() {
		return nil, content.Errorf(content.ErrInvalid, "plain HTTP and options of TLS exclude each other")
	}
	l := &line{o: o, host: e.Host, namespace: e.Namespace, base: o.base(e)}
	l.base.Path = e.Path
	if prefix, ok := strings.CutPrefix(e.Path, "/v2/"); ok { // which tokens are for, too
		l.base.Path, l.prefix = "/v2", prefix+"/"
	}
	if o.PathPrefix != "" {
		l.prefix += strings.Trim(o.PathPrefix, "/") + "/"
	}
	tries := maxRetries
	if !named {
		tries = mirrorRetries
	}
	transport, err := o.transport(e, &l.base, p)
	if err != nil {
		return nil, err
	}
	l.http = &http.Client{
		Transport:     &retry.Transport{Base: transport, Policy: func() retry.Policy { return policy{o.pause(), tries} }},
		CheckRedirect: checkRedirect,
	}
	if !o.knowsScheme(e) {
		l.base.Scheme = "https"
	} else {
		l.settle.Do(func() {}) // it is
	}
	return l, nil
}

// root is the address of the API. If a file says that any certificate will do, and that
// plain HTTP will too, whoever asks first finds out by one request.
func (l *line) root() url.URL {
	l.settle.Do(func() {
		ctx, stop := context.WithTimeout(context.Background(), dialWait)
		defer stop()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base.String()+"/", nil)
		if err != nil {
			return
		}
		resp, err := l.http.Do(req)
		if err == nil {
			_ = resp.Body.Close() // whatever it says, it speaks TLS
		} else if errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, syscall.ECONNREFUSED) {
			l.base.Scheme = "http"
		}
	})
	return l.base
}

// client speaks as one user.
func (l *line) client(ref Reference) *client {
	c := &client{line: l}
	hc := *l.http
	hc.Transport = challenged{hc.Transport, c}
	c.auth = &auth.Client{
		Client: &hc, Cache: auth.NewCache(), Credential: l.o.credential(ref, l.base.Host), ClientID: "ocilayout",
		Header: http.Header{"User-Agent": {l.o.UserAgent}},
	}
	return c
}

// challenged finds out where the token service may not be, if there is one.
type challenged struct {
	base http.RoundTripper
	c    *client
}

// RoundTrip sends the request.
func (t challenged) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		// Whoever looks at the list has had such an answer, and so waited here.
		t.c.once.Do(func() { t.c.auth.BlockedRealmPrefixes = t.c.line.blocked(req.Context()) })
	}
	return resp, err
}

// blocked looks the registry's address up, the first time.
func (l *line) blocked(ctx context.Context) []netip.Prefix {
	l.lookUp.Do(func() { l.realms = l.o.realmBlocks(ctx, &l.base) })
	return l.realms
}
