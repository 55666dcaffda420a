package registry

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// ParseResolve reads HOST:PORT:ADDRESS, as curl's --resolve takes it: where HOST:PORT
// is, in place of what the name service says. It returns an entry of Options.Resolve.
// What is not of that form is ErrInvalid.
func ParseResolve(s string) (hostPort string, addr netip.Addr, err error) {
	rest := s
	if strings.HasPrefix(s, "[") {
		rest = s[strings.IndexByte(s, ']')+1:]
	}
	if i := strings.IndexByte(rest, ':'); i >= 0 {
		host := strings.Trim(s[:len(s)-len(rest)+i], "[]")
		port, at, ok := strings.Cut(rest[i+1:], ":")
		number, portErr := strconv.ParseUint(port, 10, 16)
		addr, err = netip.ParseAddr(strings.Trim(at, "[]"))
		if ok && host != "" && portErr == nil && number > 0 && err == nil {
			return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(number, 10)), addr, nil
		}
	}
	return "", netip.Addr{}, content.Errorf(content.ErrInvalid, "%q is not HOST:PORT:ADDRESS, the address in numbers", s)
}

// dial connects to where Resolve says, or else the name service.
func (o Options) dial(ctx context.Context, wait time.Duration, network, address string) (net.Conn, error) {
	if at, ok := o.Resolve[strings.ToLower(address)]; ok {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		address = net.JoinHostPort(at.String(), port)
	}
	d := net.Dialer{Timeout: wait, KeepAlive: 15 * time.Second}
	c, err := d.DialContext(ctx, network, address)
	if tcp, ok := c.(*net.TCPConn); ok {
		return conn{tcp}, nil
	}
	return c, err
}

// proxy is the environment's, but for what Resolve names, which a proxy would look up
// for itself.
func (o Options) proxy(req *http.Request) (*url.URL, error) {
	if _, ok := o.Resolve[hostPort(req.URL)]; ok {
		return nil, nil
	}
	return http.ProxyFromEnvironment(req)
}

// hostPort is the key of an address in Options.Resolve.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "http" {
		port = "80"
	} else if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
