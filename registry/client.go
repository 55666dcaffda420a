package registry

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/ocilayout/ocilayout/content"
)

// workers is how many blobs are moved at once.
const workers = 4

// Options say how registries are spoken to. The zero value is right for most: TLS
// but to loopback addresses, and the credentials that docker and podman stored.
type Options struct {
	// PlainHTTP speaks HTTP without TLS to other machines too; credentials are not
	// sent then.
	PlainHTTP bool
	// TLS speaks TLS to loopback addresses too, as CAFile, CertFile and Insecure do.
	TLS bool
	// Insecure accepts any certificate.
	Insecure bool
	// CAFile names a file of certificates, in PEM, that are trusted beside the system's.
	CAFile string
	// CertFile and KeyFile are a client's certificate and its key, in PEM.
	CertFile, KeyFile string
	// Resolve says where "HOST:PORT", in lower case, is, in place of the name service
	// and of a proxy: see ParseResolve. The name stays as it is in requests and for TLS.
	Resolve map[string]netip.Addr
	// AuthFile is the one file in which credentials are looked for, and stored by
	// Login. "" means the environment's REGISTRY_AUTH_FILE, or else docker's
	// config.json and then podman's auth.json.
	AuthFile string
	// Username and Password, if set, are used in place of stored credentials.
	Username, Password string
	// UserAgent is what requests say of themselves; "" is "ocilayout".
	UserAgent string
	// Stall is how long a transfer may stand still before it is taken up anew; 0 is
	// one minute.
	Stall time.Duration
	// Pause is the wait before the first of the further tries, which doubles with
	// each; 0 is a quarter of a second.
	Pause time.Duration
	// Limits bound what is read; zero fields mean the defaults.
	Limits content.Limits
	// Warn is told what is odd but no error; nil drops it.
	Warn func(error)
}

func (o Options) pause() time.Duration {
	if o.Pause == 0 {
		return 250 * time.Millisecond
	}
	return o.Pause
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.WithDefaults()
	if o.Stall == 0 {
		o.Stall = defaultStall
	}
	if o.UserAgent == "" {
		o.UserAgent = "ocilayout"
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

// plain says whether host is spoken to without TLS.
func (o Options) plain(host string) bool {
	if o.PlainHTTP {
		return true
	}
	return isLoopback(host) && !o.TLS && !o.Insecure && o.CAFile == "" && o.CertFile == ""
}

// base is the address of the registry called host.
func (o Options) base(host string) url.URL {
	u := url.URL{Scheme: "https", Host: apiHost(host)}
	if o.plain(host) {
		u.Scheme = "http"
	}
	return u
}

// client speaks to one registry, as one user.
type client struct {
	o    Options
	host string // as the user names it
	base url.URL
	auth *auth.Client
}

// newLine makes ready to reach a host. It sends nothing, but asks for its address.
func newLine(ctx context.Context, host string, o Options) (*line, error) {
	if o.PlainHTTP && (o.TLS || o.Insecure || o.CAFile != "" || o.CertFile != "") {
		return nil, content.Errorf(content.ErrInvalid, "plain HTTP and options of TLS exclude each other")
	}
	hc, err := o.httpClient()
	if err != nil {
		return nil, err
	}
	if o.Insecure {
		o.Warn(content.At(host, content.Errorf(content.ErrRefused, "its certificate is NOT CHECKED: anyone on the way can read and change what is sent")))
	}
	return &line{o, host, hc, o.realmBlocks(ctx, host)}, nil
}

// realmBlocks lists the addresses at which the token service of a registry may not
// be: private ones if the registry itself is public. Names are looked up.
func (o Options) realmBlocks(ctx context.Context, registry string) []netip.Prefix {
	base := o.base(registry)
	host := base.Hostname()
	if isLoopback(host) {
		return []netip.Prefix{}
	}
	inside := auth.PrivateRealmPrefixes()
	addrs := []netip.Addr{}
	if ip, ok := o.Resolve[hostPort(&base)]; ok {
		addrs = append(addrs, ip)
	} else if ip, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, ip)
	} else {
		ctx, stop := context.WithTimeout(ctx, 2*time.Second)
		defer stop()
		addrs, _ = net.DefaultResolver.LookupNetIP(ctx, "ip", host) // behind a proxy there may be none
	}
	for _, ip := range addrs {
		for _, prefix := range inside {
			if prefix.Contains(ip.Unmap()) {
				return auth.DefaultBlockedRealmPrefixes()
			}
		}
	}
	return append(auth.DefaultBlockedRealmPrefixes(), inside...)
}

// do sends one request, with credentials if the registry asks for them. The caller
// closes the body of the response.
func (c *client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.auth.Do(req)
	if err != nil {
		return nil, failure(req.Context(), c.host, err)
	}
	return resp, nil
}

// url makes the address of path below the API's root.
func (c *client) url(path string) *url.URL {
	u := c.base
	u.Path = "/v2/" + path
	return &u
}

// ping asks for the API's root, which wants credentials if anything does.
func (c *client) ping(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url("").String(), nil)
	if err != nil {
		return err
	}
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	return resp.Body.Close()
}
