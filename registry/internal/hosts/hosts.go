// Package hosts reads how a machine is set up to reach registries: mirrors and blocked
// ones in containers' registries.conf, mirrors in containerd's hosts.toml, and the
// certificates that docker, containers and containerd keep for a host. Files go in and
// endpoints come out: it opens no socket and no certificate.
//
// Of mirrors one source counts for a repository: registries.conf if it has an entry for
// it, else the host's hosts.toml. What is written goes to the registry itself, whatever
// these say. Short names and what belongs to them are not read.
package hosts

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// Places say where files are looked for, the first first. What is not there is no
// error, but for Main if MustExist is set.
type Places struct {
	Main      []string // registries.conf: the first that is there
	MustExist bool
	DropIns   []string // directories of files that add to it; later ones win
	Hosts     []string // directories with HOST/hosts.toml
	Certs     []string // directories with HOST/*.crt, *.cert and *.key
}

// Defaults are the places of a machine and its user. hostsDir and registriesConf, if
// not "", are the only places of what they name, and then the default of the other is
// not asked either; CONTAINERS_REGISTRIES_CONF is the only registries.conf.
func Defaults(hostsDir, registriesConf string) Places {
	config := userConfig()
	in := func(dir string, rest ...string) string {
		if dir == "" {
			return ""
		}
		return filepath.Join(append([]string{dir}, rest...)...)
	}
	p := Places{Certs: present(hostsDir,
		in(config, "containers", "certs.d"), "/etc/containers/certs.d", "/usr/share/containers/certs.d",
		in(config, "docker", "certs.d"), "/etc/docker/certs.d",
		in(config, "containerd", "certs.d"), "/etc/containerd/certs.d")}
	environment := os.Getenv("CONTAINERS_REGISTRIES_CONF")
	switch {
	case registriesConf != "":
		p.Main, p.MustExist = []string{registriesConf}, true
	case hostsDir != "":
	case environment != "":
		p.Main, p.MustExist = []string{environment}, true
	default:
		p.Main = present(in(config, "containers", "registries.conf"), "/etc/containers/registries.conf", "/usr/share/containers/registries.conf")
		p.DropIns = present("/usr/share/containers/registries.conf.d", "/etc/containers/registries.conf.d", in(config, "containers", "registries.conf.d"))
	}
	if hostsDir != "" {
		p.Hosts = []string{hostsDir}
	} else if registriesConf == "" {
		p.Hosts = present(in(config, "containerd", "certs.d"), "/etc/containerd/certs.d")
	}
	return p
}

func userConfig() string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return dir
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".config")
	}
	return ""
}

func present(paths ...string) []string {
	var some []string
	for _, p := range paths {
		if p != "" {
			some = append(some, p)
		}
	}
	return some
}

// A Config answers for one Places. It reads a file when it is first needed, once, and
// is safe for concurrent use.
type Config struct {
	places     Places
	registries func() ([]registry, error)
	files      sync.Map // path of a hosts.toml -> func() (hostsFile, bool, error)
}

// New makes ready to read what is at p.
func New(p Places) *Config {
	c := &Config{places: p}
	c.registries = sync.OnceValues(func() ([]registry, error) { return readRegistries(p) })
	return c
}

// A Route says where a repository is.
type Route struct {
	// Read are the endpoints to be asked for what is read, in this order. The last one
	// stands for the registry itself.
	Read []Endpoint
	// Write is the registry itself.
	Write Endpoint
}

// An Endpoint is where a repository may be found.
type Endpoint struct {
	Scheme     string // http or https; "" is what is usual for the host
	Host       string // HOST[:PORT]; docker.io for that one itself
	Path       string // of the API's root, such as /v2
	Repository string // what it is called there
	Namespace  string // if not "", the registry that a mirror of several is asked for

	// What is asked for there: content by its tag, content by its digest.
	Tags, Digests bool
	// DigestsOfTag is set where Digests is not: content by digest is asked for too if
	// a tag was found there before.
	DigestsOfTag bool

	CA       []string    // files with certificates to be trusted
	Client   [][2]string // files with certificates of the client, and their keys
	Insecure bool        // any certificate will do
	MayPlain bool        // and HTTP, if nothing speaks TLS there
	Header   map[string][]string
	Dial     time.Duration // the longest wait for a connection; 0 is the usual one

	From string // the file that says so; "" if none does
}

// For finds the route to a repository of the registry called host, or with repository
// "" to the registry alone. A blocked one is ErrRefused, a file that can't be
// understood is ErrInvalid with its name and the key.
func (c *Config) For(host, repository string) (Route, error) {
	own := Endpoint{Host: host, Path: "/v2", Repository: repository, Tags: true, Digests: true}
	route := Route{Read: []Endpoint{own}, Write: own}
	found, err := c.fromRegistries(&route)
	if err != nil {
		return Route{}, err
	}
	if !found {
		if err := c.fromHostsFile(&route); err != nil {
			return Route{}, err
		}
	}
	for i := range route.Read {
		if err := c.certificates(&route.Read[i]); err != nil {
			return Route{}, err
		}
	}
	return route, c.certificates(&route.Write)
}

// isHost says whether s is HOST[:PORT] and no way out of a directory.
func isHost(s string) bool {
	name := s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		if port, err := strconv.ParseUint(s[i+1:], 10, 16); err != nil || port == 0 {
			return false
		}
		name = s[:i]
	}
	if inside, ok := strings.CutPrefix(name, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		return err == nil && ip.Is6() && ip.Zone() == "" && strings.HasSuffix(inside, "]")
	}
	for _, label := range strings.Split(name, ".") {
		if label == "" || strings.Trim(label, "-") != label {
			return false
		}
		for _, r := range label {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
				return false
			}
		}
	}
	return true
}

// broken says what is wrong in a file, in one line.
func broken(path, format string, args ...any) error {
	return content.At(path, content.Errorf(content.ErrInvalid, format, args...))
}
