package hosts

import (
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// fromHostsFile makes the route of the hosts.toml for the host, or of the one for all
// hosts, if there is one.
func (c *Config) fromHostsFile(route *Route) error {
	for _, root := range c.places.Hosts {
		for _, dir := range append(hostDirs(root, route.Write.Host), filepath.Join(root, "_default")) {
			file := filepath.Join(dir, "hosts.toml")
			once, _ := c.files.LoadOrStore(file, sync.OnceValues(func() ([]Endpoint, error) { return readHostsFile(file) }))
			endpoints, err := once.(func() ([]Endpoint, error))()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			route.hostsFile(endpoints)
			return nil
		}
	}
	return nil
}

// hostsFile makes the route of a file's endpoints, of which the last one is the server:
// the registry itself, if the file does not name another.
func (route *Route) hostsFile(endpoints []Endpoint) {
	own := route.Write
	elsewhere := false
	route.Read = nil
	for i, e := range endpoints {
		server := i == len(endpoints)-1
		if server && e.Host == "" || own.Host == "docker.io" && e.Host == "registry-1.docker.io" {
			e.Host = own.Host
		}
		e.Repository = own.Repository
		switch {
		case e.Host == own.Host: // it says how the registry itself is reached; the first one counts
			if route.Write.From == "" {
				e.Tags, e.Digests = true, true
				route.Write = e
			}
		case e.Tags || e.Digests:
			e.Namespace = own.Host
			route.Read = append(route.Read, e)
			elsewhere = server
		}
	}
	if !elsewhere {
		route.Read = append(route.Read, route.Write)
	}
}

// readHostsFile reads the endpoints in the order in which they are in the file, and at
// the end the server, which has no host if the file does not name one.
func readHostsFile(file string) ([]Endpoint, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	t, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	var all []Endpoint
	hosts := t.sub("host")
	for _, name := range hostOrder(data, hosts.values) {
		all = append(all, hosts.sub(name).endpoint(name, ""))
	}
	all = append(all, t.endpoint(t.text("server"), "server"))
	return all, t.file.err
}

// hostOrder lists the keys of the tables [host."..."] as they come, and behind them, in
// the order of their bytes, those of values that are written in another way.
func hostOrder(data []byte, values map[string]any) []string {
	var names []string
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		if e := p.Expression(); e.Kind == unstable.Table {
			var key []string
			for it := e.Key(); it.Next(); {
				key = append(key, string(it.Node().Data))
			}
			if len(key) > 1 && key[0] == "host" && !slices.Contains(names, key[1]) {
				names = append(names, key[1])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// endpoint reads what a table says of the one at address, which is its name or, of the
// server, under key.
func (t table) endpoint(address, key string) Endpoint {
	e := Endpoint{Path: "/v2", CA: t.files(t.texts("ca")), Client: t.client(), Insecure: t.flag("skip_verify"), From: t.file.path}
	e.capabilities(t)
	override := t.flag("override_path")
	if address != "" {
		e.address(t, address, key, override)
	}
	header := t.sub("header")
	for name := range header.values {
		if e.Header == nil {
			e.Header = map[string][]string{}
		}
		e.Header[name] = header.texts(name)
	}
	if wait := t.text("dial_timeout"); wait != "" {
		d, err := time.ParseDuration(wait)
		if err != nil || d <= 0 {
			t.fail("dial_timeout", "%q is no time such as 3s", wait)
		}
		e.Dial = d
	}
	return e
}

// address reads a URL, whose path is the API's root with override, else in front of it.
func (e *Endpoint) address(t table, address, key string, override bool) {
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil || !isHost(u.Host) || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		t.fail(key, "not an address of the form https://HOST[:PORT][/PATH]")
		return
	}
	e.Scheme, e.Host, e.Path = u.Scheme, u.Host, path.Clean("/"+u.Path)
	if e.Path == "/" {
		e.Path = ""
	}
	if !override && !strings.HasSuffix(e.Path, "/v2") {
		e.Path += "/v2"
	}
}

// capabilities are all if none is named.
func (e *Endpoint) capabilities(t table) {
	names := t.texts("capabilities")
	e.Tags, e.Digests = len(names) == 0, len(names) == 0
	for _, name := range names {
		switch strings.ToLower(name) {
		case "pull":
			e.Digests = true
		case "resolve":
			e.Tags = true
		case "push", "referrers": // asked of the registry itself
		default:
			t.fail("capabilities", "%q is none of pull, resolve, push, referrers", name)
		}
	}
}

// client reads a file that has certificate and key, several, or pairs of files.
func (t table) client() [][2]string {
	var all [][2]string
	add := func(names []string) {
		names = t.files(names)
		switch len(names) {
		case 1:
			all = append(all, [2]string{names[0], names[0]})
		case 2:
			all = append(all, [2]string{names[0], names[1]})
		default:
			t.fail("client", "want a file, or pairs of a certificate and its key")
		}
	}
	list, isList := t.values["client"].([]any)
	if !isList {
		if name := t.text("client"); name != "" {
			add([]string{name})
		}
		return all
	}
	for _, e := range list {
		add(table{t.file, t.name, map[string]any{"client": e}}.texts("client"))
	}
	return all
}

// files finds paths beside the file that names them.
func (t table) files(names []string) []string {
	var all []string
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(t.file.path), name)
		}
		all = append(all, name)
	}
	return all
}
