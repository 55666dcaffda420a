package sync

import (
	"cmp"
	"fmt"
	"slices"
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
	ReqConcurrent int               `yaml:"reqConcurrent"`
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
	for i, mirror := range h.Mirrors {
		if h.Mirrors[i], err = registry.ParseHost(mirror); err != nil {
			return f.at(fmt.Sprintf("%s.mirrors[%d]", path, i), err)
		}
	}
	if h.CredHelper != "" && !strings.HasPrefix(h.CredHelper, "docker-credential-") {
		return f.invalid(path+".credHelper", "%q is no docker-credential-NAME", h.CredHelper)
	}
	if h.TLS = strings.ToLower(h.TLS); h.TLS != "" && h.TLS != "enabled" && h.TLS != "insecure" && h.TLS != "disabled" {
		return f.invalid(path+".tls", "%q: want enabled, insecure or disabled", h.TLS)
	}
	return f.undone(path, h)
}

// undone refuses the keys that would change what is done, and warns of those that would
// not.
func (f *file) undone(path string, h *Host) error {
	switch {
	case h.Token != "":
		return f.refuse(path+".token", "token is not done: name a credHelper, or give user and pass")
	case h.Scheme != "":
		return f.refuse(path+".scheme", "scheme is not done: say tls: disabled or enabled")
	case h.API != "" || len(h.APIOpts) > 0:
		key := path + ".apiOpts"
		if h.API != "" {
			key = path + ".api"
		}
		return f.refuse(key, "only registries of distribution-spec are spoken to, and in no other way")
	}
	for _, key := range []struct {
		name string
		set  bool
		why  string
	}{
		{"repoAuth", h.RepoAuth, "each repository has tokens of its own anyway"},
		{"credExpire", h.CredExpire.Duration != 0, "the helper is asked when the registry wants credentials"},
		{"blobChunk", h.BlobChunk != 0, "blobs are sent in one piece"},
		{"blobMax", h.BlobMax != 0, "blobs are sent in one piece"},
	} {
		if key.set {
			f.warn(path+"."+key.name, "%s has no effect: %s", key.name, key.why)
		}
	}
	return nil
}

// mirrors orders the mirrors of each registry as their priorities say: those with a
// higher number than the registry's own would come after the registry, and are not asked.
func (f *file) mirrors(hosts []Host) {
	priority := map[string]uint{}
	for _, h := range hosts {
		priority[h.Registry] = h.Priority
	}
	for i := range hosts {
		h := &hosts[i]
		slices.SortStableFunc(h.Mirrors, func(a, b string) int { return cmp.Compare(priority[a], priority[b]) })
		h.Mirrors = slices.DeleteFunc(h.Mirrors, func(mirror string) bool {
			later := priority[mirror] > h.Priority
			if later {
				f.warn(fmt.Sprintf("$.creds[%d].mirrors", i), "the mirror %s has a higher priority number than %s, and is not asked: it would be only if that failed", mirror, h.Registry)
			}
			return later
		})
	}
}

// options are base with what the file says of a registry.
func (h Host) options(base registry.Options) registry.Options {
	o := base
	if h.User != "" {
		o.Username, o.Password = h.User, h.Pass
	}
	o.Helper, o.HelperHost = h.CredHelper, h.CredHost
	o.CA, o.Cert, o.Key = []byte(h.RegCert), []byte(h.ClientCert), []byte(h.ClientKey)
	if h.Hostname != h.Registry {
		o.Address = h.Hostname
	}
	o.PathPrefix, o.Mirrors = h.PathPrefix, h.Mirrors
	o.RequestsPerSecond, o.Concurrent = h.ReqPerSec, h.ReqConcurrent
	switch h.TLS {
	case "enabled":
		o.PlainHTTP, o.TLS = false, true
	case "insecure":
		o.PlainHTTP, o.Insecure = false, true
	case "disabled":
		o.PlainHTTP, o.TLS, o.Insecure = true, false, false
		o.CAFile, o.CertFile, o.KeyFile, o.CA, o.Cert, o.Key = "", "", "", nil, nil, nil
	}
	return o
}

// Session makes ready to speak to the registries as the file says, and to those that it
// does not name as base says.
func (c *Config) Session(base registry.Options) *registry.Session {
	if c.Defaults.UserAgent != "" {
		base.UserAgent = c.Defaults.UserAgent
	}
	base.NoAuthFiles = base.NoAuthFiles || c.Defaults.SkipDockerConfig
	hosts := map[string]registry.Options{}
	for _, h := range c.Creds {
		hosts[h.Registry] = h.options(base)
	}
	return registry.NewSession(base, hosts)
}
