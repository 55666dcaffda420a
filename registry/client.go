package registry

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry/internal/hosts"
)

// workers is how many blobs are moved at once, if nothing says fewer.
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
	// Address is the HOST[:PORT] at which the API answers, "" if that is the host.
	// Credentials and certificates are looked for under the host all the same.
	Address string
	// PathPrefix stands in front of the names of repositories there.
	PathPrefix string
	// Mirrors are hosts to be asked before this one for what is read, in this order,
	// with their own options and credentials; if not nil, mirrors that files name are not.
	Mirrors []string
	// HostsDir and RegistriesConf name a directory as containerd's certs.d, and a file as
	// containers' registries.conf, with mirrors and certificates of hosts. If both are
	// "", those of this machine and user are read; either one alone leaves the others out.
	HostsDir, RegistriesConf string
	// RequestsPerSecond is the most requests in a second to the host; 0 is no limit.
	RequestsPerSecond float64
	// Concurrent is the most requests to the host that wait for an answer at one time,
	// and the most blobs that are moved at one time; 0 is no limit.
	Concurrent int
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

// workers is how many blobs are moved at once.
func (o Options) workers() int {
	if o.Concurrent > 0 {
		return min(o.Concurrent, workers)
	}
	return workers
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

// secure says whether o asks for TLS, one way or another.
func (o Options) secure() bool { return o.TLS || o.Insecure || o.CAFile != "" || o.CertFile != "" }

// knowsScheme says whether an endpoint's scheme is given. It is not where a file says
// that any certificate will do, and plain HTTP too.
func (o Options) knowsScheme(e hosts.Endpoint) bool {
	return o.PlainHTTP || o.secure() || e.Scheme != "" || !e.MayPlain
}

// base is the address of an endpoint's API: by plain HTTP if o says so, or if the file
// does or the address is a loopback one and nothing asks for TLS.
func (o Options) base(e hosts.Endpoint) url.URL {
	u := url.URL{Scheme: "https", Host: apiHost(e.Host), Path: e.Path}
	if o.Address != "" {
		u.Host = o.Address
	}
	secure := o.secure() || e.Scheme == "https" || len(e.CA) > 0 || len(e.Client) > 0
	if o.PlainHTTP || e.Scheme == "http" && !o.secure() || isLoopback(u.Host) && !secure {
		u.Scheme = "http"
	}
	return u
}

// client speaks to one registry, as one user.
type client struct {
	*line
	auth *auth.Client
	once sync.Once // the list of where tokens do not come from
}

// realmBlocks lists the addresses at which the token service of a registry may not
// be: private ones if the registry itself is public. Names are looked up.
func (o Options) realmBlocks(ctx context.Context, base *url.URL) []netip.Prefix {
	host := base.Hostname()
	if isLoopback(host) {
		return []netip.Prefix{}
	}
	inside := auth.PrivateRealmPrefixes()
	addrs := []netip.Addr{}
	if ip, ok := o.Resolve[hostPort(base)]; ok {
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
	u := c.root()
	u.Path += "/" + path
	if c.namespace != "" {
		u.RawQuery = url.Values{"ns": {c.namespace}}.Encode()
	}
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
