package hosts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/ocilayout/ocilayout/content"
)

// A registry is an entry of registries.conf (containers-registries.conf(5)).
type registry struct {
	prefix   string // HOST[:PORT][/PATH] or *.DOMAIN
	location string // "" leaves names as they are
	insecure bool
	blocked  bool
	single   bool // it is for one tag or digest of a repository
	mirrors  []mirror
	from     string
}

type mirror struct {
	location      string
	insecure      bool
	tags, digests bool
}

// readRegistries reads all files, of which the later ones replace entries of the same
// prefix. The longest prefix is the first.
func readRegistries(p Places) ([]registry, error) {
	paths, err := registriesFiles(p)
	if err != nil {
		return nil, err
	}
	var all []registry
	for _, path := range paths {
		data, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) && !p.MustExist {
			continue
		}
		if err != nil {
			return nil, err
		}
		some, err := parseRegistries(path, data)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(old registry) bool {
			return slices.ContainsFunc(some, func(r registry) bool { return r.prefix == old.prefix })
		})
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b registry) int { return len(b.prefix) - len(a.prefix) })
	return all, nil
}

func registriesFiles(p Places) ([]string, error) {
	var paths []string
	for _, path := range p.Main {
		if _, err := os.Stat(path); err == nil || p.MustExist {
			paths = append(paths, path)
			break
		}
	}
	for _, dir := range p.DropIns {
		entries, err := os.ReadDir(dir) // sorted
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".conf") && !e.IsDir() {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	return paths, nil
}

func parseRegistries(path string, data []byte) ([]registry, error) {
	t, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	if _, ok := t.values["registries"]; ok {
		t.fail("registries", "this is the first version of the format: want [[registry]]")
	}
	var all []registry
	for _, e := range t.subs("registry") {
		r := registry{insecure: e.flag("insecure"), blocked: e.flag("blocked"), from: path}
		r.prefix, r.single = e.place("prefix")
		r.location, _ = e.place("location")
		switch {
		case r.prefix == "":
			if r.prefix, r.single = e.place("location"); r.prefix == "" {
				e.fail("location", "neither it nor prefix is there")
			}
		case strings.HasPrefix(r.prefix, "*."):
			if !isHost(r.prefix[2:]) || strings.Contains(r.prefix, ":") {
				e.fail("prefix", "%q is not of the form *.example.com", r.prefix)
			}
		case r.location == "":
			e.fail("location", "it is not there")
		}
		byDigest := e.flag("mirror-by-digest-only")
		for _, m := range e.subs("mirror") {
			r.mirrors = append(r.mirrors, m.mirror(byDigest))
		}
		if slices.ContainsFunc(all, func(old registry) bool { return old.prefix == r.prefix && old.single == r.single }) {
			continue // the first one counts
		}
		all = append(all, r)
	}
	return all, t.file.err
}

func (t table) mirror(byDigest bool) mirror {
	m := mirror{insecure: t.flag("insecure"), tags: !byDigest, digests: true}
	if m.location, _ = t.place("location"); m.location == "" {
		t.fail("location", "it is not there")
	}
	how := t.text("pull-from-mirror")
	switch {
	case how != "" && byDigest:
		t.fail("pull-from-mirror", "mirror-by-digest-only of the registry says it already")
	case how == "digest-only":
		m.tags = false
	case how == "tag-only":
		m.digests = false
	case how != "" && how != "all":
		t.fail("pull-from-mirror", "%q is none of all, digest-only, tag-only", how)
	}
	return m
}

// place is HOST[:PORT][/PATH], *.DOMAIN as a prefix, or "". With a tag or digest behind
// it, which is left out, it is a single image.
func (t table) place(key string) (name string, single bool) {
	s := strings.TrimRight(t.text(key), "/")
	name, _, single = strings.Cut(s, "@")
	if slash := strings.IndexByte(name, '/'); slash >= 0 {
		if i := strings.IndexByte(name[slash:], ':'); i >= 0 {
			name, single = name[:slash+i], true
		}
	}
	if s != "" && !isLocation(name) && !(key == "prefix" && strings.HasPrefix(name, "*.") && !single) {
		t.fail(key, "%q is not HOST[:PORT][/PATH]", s)
	}
	return name, single
}

func isLocation(s string) bool {
	host, _, _ := strings.Cut(s, "/")
	named, err := reference.ParseNormalizedNamed(s + "/x/y")
	return err == nil && isHost(host) && named.Name() == s+"/x/y"
}

// match finds how much of a name an entry speaks of, or -1.
func (r registry) match(name string) int {
	host, _, _ := strings.Cut(name, "/")
	if domain, ok := strings.CutPrefix(r.prefix, "*"); ok {
		bare, _, _ := strings.Cut(host, ":")
		if strings.HasSuffix(bare, domain) && len(bare) > len(domain) {
			return len(bare)
		}
		return -1
	}
	rest, ok := strings.CutPrefix(name, r.prefix)
	if !ok || rest != "" && rest[0] != '/' && rest[0] != ':' {
		return -1
	}
	return len(r.prefix)
}

// fromRegistries makes the route of the entry for it, if there is one.
func (c *Config) fromRegistries(route *Route) (found bool, err error) {
	all, err := c.registries()
	if err != nil {
		return false, err
	}
	own := route.Write
	name := strings.TrimSuffix(own.Host+"/"+own.Repository, "/")
	for _, r := range all {
		n := r.match(name)
		if n < 0 {
			continue
		}
		if r.single {
			return true, content.At(name, content.Errorf(content.ErrUnsupported, "%s has an entry for a tag or digest of %s, which is not followed here", r.from, r.prefix))
		}
		if r.blocked {
			return true, content.At(name, content.Errorf(content.ErrRefused, "%s blocks it, with the prefix %s", r.from, r.prefix))
		}
		own.From = r.from
		own.Insecure, own.MayPlain = r.insecure, r.insecure
		route.Write = own
		if r.location != "" {
			if err := own.move(r.location, name[n:]); err != nil {
				return true, err
			}
		}
		route.Read = nil
		for _, m := range r.mirrors {
			e := Endpoint{Path: "/v2", Tags: m.tags, Digests: m.digests, DigestsOfTag: !m.digests, Insecure: m.insecure, MayPlain: m.insecure, From: r.from}
			if err := e.move(m.location, name[n:]); err != nil {
				return true, err
			}
			route.Read = append(route.Read, e)
		}
		route.Read = append(route.Read, own)
		return true, nil
	}
	return false, nil
}

// move puts what is left of a name behind another location.
func (e *Endpoint) move(location, rest string) error {
	name := location + rest
	host, repository, _ := strings.Cut(name, "/")
	if !isHost(host) || repository == "" && rest != "" {
		return broken(e.From, "location: %q has no place for %q", location, rest)
	}
	e.Host, e.Repository = host, repository
	return nil
}
