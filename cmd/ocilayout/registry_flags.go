package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// maxPassword is more bytes than any password or token has.
const maxPassword = 64 << 10

// registryFlags say how a registry is spoken to.
type registryFlags struct {
	o        registry.Options
	password bool // comes on standard input
}

func (f *registryFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "plain-http", Destination: &f.o.PlainHTTP, Usage: "speak HTTP without TLS; credentials are not sent then, but to a loopback address"},
		&cli.BoolFlag{Name: "tls", Destination: &f.o.TLS, Usage: "speak TLS to a loopback address too"},
		&cli.BoolFlag{Name: "insecure", Destination: &f.o.Insecure, Usage: "accept any certificate, and so anyone on the way"},
		&cli.StringFlag{Name: "ca-file", Destination: &f.o.CAFile, Usage: "trust the certificates in `FILE`, in PEM, beside the system's"},
		&cli.StringFlag{Name: "cert-file", Destination: &f.o.CertFile, Usage: "`FILE` with the client's certificate, in PEM"},
		&cli.StringFlag{Name: "key-file", Destination: &f.o.KeyFile, Usage: "`FILE` with the key of --cert-file"},
		&cli.StringFlag{Name: "authfile", Destination: &f.o.AuthFile, Usage: "`FILE` with credentials, as docker and podman write it"},
		&cli.StringFlag{Name: "username", Aliases: []string{"u"}, Destination: &f.o.Username, Usage: "`NAME` to use in place of stored credentials"},
		&cli.BoolFlag{Name: "password-stdin", Destination: &f.password, Usage: "read the password from standard input"},
	}
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

// options are what the flags say.
func (f *registryFlags) options(e *env) (registry.Options, error) {
	o := f.o
	o.Warn = func(err error) { e.warnf("%v", err) }
	if f.password != (o.Username != "") {
		return o, content.Errorf(content.ErrInvalid, "--username and --password-stdin go together")
	}
	if !f.password {
		return o, nil
	}
	data, err := io.ReadAll(io.LimitReader(e.stdin, maxPassword))
	if err != nil {
		return o, err
	}
	if o.Password = strings.TrimRight(string(data), "\r\n"); o.Password == "" {
		return o, content.Errorf(content.ErrInvalid, "there is no password on standard input")
	}
	return o, nil
}
