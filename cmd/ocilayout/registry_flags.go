package main

import (
	"io"
	"net/netip"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// maxPassword is more bytes than any password or token has.
const maxPassword = 64 << 10

// registryFlags say how a registry is spoken to. A command with a registry on either
// side has two, with sourceSide and destinationSide as side; others leave it empty.
type registryFlags struct {
	side     string // what the names of the flags begin with
	o        registry.Options
	resolve  ordered
	password bool // comes on standard input
}

const (
	sourceSide      = "src-"
	destinationSide = "dst-"
)

func (f *registryFlags) flags() []cli.Flag {
	text := func(name, usage string, to *string) *cli.StringFlag {
		return &cli.StringFlag{Name: f.side + name, Destination: to, Usage: f.about() + usage}
	}
	toggle := func(name, usage string, to *bool) *cli.BoolFlag {
		return &cli.BoolFlag{Name: f.side + name, Destination: to, Usage: f.about() + usage}
	}
	username := text("username", "`NAME` to use in place of stored credentials", &f.o.Username)
	if f.side == "" {
		username.Aliases = []string{"u"}
	}
	return []cli.Flag{
		toggle("plain-http", "speak HTTP without TLS; credentials are not sent then, but to a loopback address", &f.o.PlainHTTP),
		toggle("tls", "speak TLS to a loopback address too", &f.o.TLS),
		toggle("insecure", "accept any certificate, and so anyone on the way", &f.o.Insecure),
		text("ca-file", "trust the certificates in `FILE`, in PEM, beside the system's", &f.o.CAFile),
		text("cert-file", "`FILE` with the client's certificate, in PEM", &f.o.CertFile),
		text("key-file", "`FILE` with the key of --"+f.side+"cert-file", &f.o.KeyFile),
		f.resolve.flag(f.side+"resolve", f.about()+"connect to another address for a host and port: `HOST:PORT:ADDRESS`; names in requests and certificates stay"),
		text("hosts-dir", "`DIR` with containerd's hosts.toml and certificates of registries, in place of the mirrors that this machine is set up for", &f.o.HostsDir),
		text("registries-conf", "containers' registries.conf in `FILE`, in place of the same; an empty file for no mirrors", &f.o.RegistriesConf),
		text("authfile", "`FILE` with credentials, as docker and podman write it", &f.o.AuthFile),
		username,
		toggle("password-stdin", "read the password from standard input", &f.password),
	}
}

// about says in help which side a flag is for.
func (f *registryFlags) about() string {
	switch f.side {
	case sourceSide:
		return "source: "
	case destinationSide:
		return "destination: "
	}
	return ""
}

// target reads a reference to a registry, and what the flags say of it.
func (f *registryFlags) target(e *env, arg string) (registry.Reference, *registry.Session, error) {
	ref, err := registry.ParseReference(arg)
	if err != nil {
		return ref, nil, err
	}
	s, err := f.session(e)
	return ref, s, err
}

// session speaks as the flags say.
func (f *registryFlags) session(e *env) (*registry.Session, error) {
	o, err := f.options(e)
	if err != nil {
		return nil, err
	}
	return registry.NewSession(o, nil), nil
}

// oneHost refuses a user and a password that would go to several hosts.
func (f *registryFlags) oneHost(hosts ...string) error {
	for _, host := range hosts {
		if host != hosts[0] && f.o.Username != "" {
			return content.Errorf(content.ErrInvalid, "--%susername is for one registry, and there are %s and %s: log in, or use an authfile", f.side, hosts[0], host)
		}
	}
	return nil
}

// options are what the flags say. The password is read the first time, unless it was
// asked for.
func (f *registryFlags) options(e *env) (registry.Options, error) {
	f.o.Limits = e.limits
	f.o.Warn = func(err error) { e.warnf("%v", err) }
	f.o.Resolve = map[string]netip.Addr{}
	for _, v := range f.resolve {
		host, addr, err := registry.ParseResolve(v.value)
		if err != nil {
			return f.o, err
		}
		f.o.Resolve[host] = addr
	}
	if f.password != (f.o.Username != "") && f.o.Password == "" {
		return f.o, content.Errorf(content.ErrInvalid, "--%[1]susername and --%[1]spassword-stdin go together", f.side)
	}
	if !f.password || f.o.Password != "" {
		return f.o, nil
	}
	if e.passwordRead {
		return f.o, content.Errorf(content.ErrInvalid, "only one password can come on standard input: log in to one side, or use an authfile")
	}
	e.passwordRead = true
	data, err := io.ReadAll(io.LimitReader(e.stdin, maxPassword))
	if err != nil {
		return f.o, err
	}
	if f.o.Password = strings.TrimRight(string(data), "\r\n"); f.o.Password == "" {
		return f.o, content.Errorf(content.ErrInvalid, "there is no password on standard input")
	}
	return f.o, nil
}
