package registry

import (
	"context"
	"net/http"
	"net/netip"
	"sync"

	"oras.land/oras-go/v2/registry/remote/auth"
)

// A Session is all that one run says to registries: the repositories of a host share
// its connections and certificates, and each keeps its tokens for whoever opens it
// again. It is safe for concurrent use. There is nothing to close: connections end by
// themselves.
type Session struct {
	o     Options
	hosts map[string]Options

	mu    sync.Mutex
	lines map[string]*line       // by host
	repos map[string]*Repository // by host and repository
}

// NewSession makes ready to speak to registries as o says; to those in hosts, which are
// called as in a Reference, as it is said there. Nothing is sent.
func NewSession(o Options, hosts map[string]Options) *Session {
	return &Session{o: o, hosts: hosts, lines: map[string]*line{}, repos: map[string]*Repository{}}
}

// options are those for a host, every one set.
func (s *Session) options(host string) Options {
	o, ok := s.hosts[host]
	if !ok {
		o = s.o
	}
	return o.withDefaults()
}

// Open makes ready to speak about ref's repository. Nothing is sent. The credentials
// are those for ref.
func (s *Session) Open(ctx context.Context, ref Reference) (*Repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if repo, ok := s.repos[ref.Name()]; ok {
		return repo, nil
	}
	l, err := s.line(ctx, ref.Host)
	if err != nil {
		return nil, err
	}
	repo := &Repository{c: l.client(l.o.credential(ref)), ref: ref}
	s.repos[ref.Name()] = repo
	return repo, nil
}

// line is what leads to a host; s.mu is held.
func (s *Session) line(ctx context.Context, host string) (*line, error) {
	if l, ok := s.lines[host]; ok {
		return l, nil
	}
	l, err := newLine(ctx, host, s.options(host))
	if err == nil {
		s.lines[host] = l
	}
	return l, err
}

// A line leads to one host, whoever speaks.
type line struct {
	o      Options
	host   string // as the user names it
	http   *http.Client
	realms []netip.Prefix // where its token service may not be
}

// client speaks as one user.
func (l *line) client(credential auth.CredentialFunc) *client {
	c := &client{o: l.o, host: l.host, base: l.o.base(l.host)}
	c.auth = &auth.Client{
		Client: l.http, Cache: auth.NewCache(), Credential: credential, ClientID: "ocilayout",
		Header:               http.Header{"User-Agent": {l.o.UserAgent}},
		BlockedRealmPrefixes: l.realms,
	}
	return c
}
