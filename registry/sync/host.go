package sync

import (
	"strings"

	"github.com/ocilayout/ocilayout/registry"
)

// A Host is one of those below creds: a registry, and how it is spoken to.
type Host struct {
	Registry      string            `yaml:"registry"`
	Hostname      string            `yaml:"hostname"`
	TLS           string            `yaml:"tls"`
	RegCert       string            `yaml:"regcert"`
	ClientCert    string            `yaml:"clientCert"`
	ClientKey     string            `yaml:"clientKey"`
	User          string            `yaml:"user"`
	Pass          string            `yaml:"pass"`
	Token         string            `yaml:"token"`
	CredHelper    string            `yaml:"credHelper"`
	CredExpire    Duration          `yaml:"credExpire"`
	CredHost      string            `yaml:"credHost"`
	PathPrefix    string            `yaml:"pathPrefix"`
	Mirrors       []string          `yaml:"mirrors"`
	Priority      uint              `yaml:"priority"`
	RepoAuth      bool              `yaml:"repoAuth"`
	API           string            `yaml:"api"`
	APIOpts       map[string]string `yaml:"apiOpts"`
	BlobChunk     int64             `yaml:"blobChunk"`
	BlobMax       int64             `yaml:"blobMax"`
	ReqPerSec     float64           `yaml:"reqPerSec"`
	ReqConcurrent int64             `yaml:"reqConcurrent"`
	Scheme        string            `yaml:"scheme"`
}

// host expands and checks the keys of a registry.
func (f *file) host(path string, h *Host) error {
	for key, text := range map[string]*string{
		"registry": &h.Registry, "user": &h.User, "pass": &h.Pass,
		"regcert": &h.RegCert, "clientCert": &h.ClientCert, "clientKey": &h.ClientKey,
	} {
		expanded, err := f.env.expand(*text, nil)
		if err != nil {
			return f.invalid(path+"."+key, "%v", err)
		}
		*text = expanded
	}
	if strings.HasPrefix(h.Registry, "http://") && h.TLS == "" {
		h.TLS = "disabled"
	}
	host, err := registry.ParseHost(h.Registry)
	if err != nil {
		return f.at(path+".registry", err)
	}
	h.Registry = host
	if h.TLS = strings.ToLower(h.TLS); h.TLS != "" && h.TLS != "enabled" && h.TLS != "insecure" && h.TLS != "disabled" {
		return f.invalid(path+".tls", "%q: want enabled, insecure or disabled", h.TLS)
	}
	return f.undone(path, h)
}

// undone refuses the keys that would change what is done, and warns of those that would
// not.
func (f *file) undone(path string, h *Host) error {
	for _, key := range []struct {
		name string
		set  bool
		why  string
	}{
		{"token", h.Token != "", "a token is not taken from the file; store it with login"},
		{"credHelper", h.CredHelper != "", "name the helper in docker's config.json, under credHelpers"},
		{"credHost", h.CredHost != "", "name the helper in docker's config.json, under credHelpers"},
		{"hostname", h.Hostname != "" && h.Hostname != h.Registry, "a registry is reached under its own name"},
		{"pathPrefix", h.PathPrefix != "", "a registry is asked for repositories as they are called"},
	} {
		if key.set {
			return f.refuse(path+"."+key.name, "%s is not done: %s", key.name, key.why)
		}
	}
	for _, key := range []struct {
		name string
		set  bool
	}{
		{"mirrors", len(h.Mirrors) > 0}, {"priority", h.Priority != 0}, {"repoAuth", h.RepoAuth}, {"credExpire", h.CredExpire.Duration != 0},
		{"api", h.API != ""}, {"apiOpts", len(h.APIOpts) > 0}, {"blobChunk", h.BlobChunk != 0}, {"blobMax", h.BlobMax != 0},
		{"reqPerSec", h.ReqPerSec != 0}, {"reqConcurrent", h.ReqConcurrent != 0}, {"scheme", h.Scheme != ""},
	} {
		if key.set {
			f.warn(path+"."+key.name, "%s has no effect: what is copied is the same without it", key.name)
		}
	}
	return nil
}

// options are base with what the file says of a registry.
func (h Host) options(base registry.Options) registry.Options {
	o := base
	if h.User != "" {
		o.Username, o.Password = h.User, h.Pass
	}
	switch h.TLS {
	case "enabled":
		o.PlainHTTP, o.TLS = false, true
	case "insecure":
		o.PlainHTTP, o.Insecure = false, true
	case "disabled":
		o.PlainHTTP, o.TLS, o.Insecure = true, false, false
		o.CAFile, o.CertFile, o.KeyFile = "", "", ""
	}
	return o
}

// Session makes ready to speak to the registries as the file says, and to those that it
// does not name as base says.
func (c *Config) Session(base registry.Options) *registry.Session {
	if c.Defaults.UserAgent != "" {
		base.UserAgent = c.Defaults.UserAgent
	}
	hosts := map[string]registry.Options{}
	for _, h := range c.Creds {
		hosts[h.Registry] = h.options(base)
	}
	return registry.NewSession(base, hosts)
}
