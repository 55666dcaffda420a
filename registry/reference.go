package registry

import (
	"net/netip"
	"strings"

	"github.com/distribution/reference"

	"github.com/ocilayout/ocilayout/content"
)

// Scheme stands in front of a reference to a registry.
const Scheme = "docker://"

// A Reference says where content is in a registry:
// docker://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST].
type Reference struct {
	Host       string // as the user names it, with its port if there is one
	Repository string
	Tag        string
	Digest     content.Digest
}

// ParseReference reads a reference, with or without the scheme. As everywhere, a
// name without a host is one of docker.io. Neither tag nor digest is no error: see
// OrLatest. What does not fit the grammar is ErrInvalid.
func ParseReference(s string) (Reference, error) {
	if hasUser(strings.TrimPrefix(s, Scheme)) {
		return Reference{}, errUser
	}
	named, err := reference.ParseNormalizedNamed(strings.TrimPrefix(s, Scheme))
	if err != nil {
		return Reference{}, content.Errorf(content.ErrInvalid, "%q is no reference to a registry: %v", s, err)
	}
	ref := Reference{Host: reference.Domain(named), Repository: reference.Path(named)}
	if t, ok := named.(reference.Tagged); ok {
		ref.Tag = t.Tag()
	}
	if d, ok := named.(reference.Digested); ok {
		ref.Digest = d.Digest()
		if err := content.CheckDigest(ref.Digest); err != nil {
			return Reference{}, err
		}
	}
	return ref, nil
}

// errUser does not say what it is about, which may be a password.
var errUser = content.Errorf(content.ErrInvalid, "a reference to a registry holds no user and no password")

// hasUser says whether there is an @ in front of a host, as in URLs.
func hasUser(s string) bool {
	host, _, more := strings.Cut(s, "/")
	return more && strings.Contains(host, "@")
}

// IsReference says whether s has the scheme of a registry in front.
func IsReference(s string) bool { return strings.HasPrefix(s, Scheme) }

// ParseHost reads HOST[:PORT], or takes it from a reference.
func ParseHost(s string) (string, error) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, Scheme), "/")
	for _, scheme := range []string{"https://", "http://"} {
		s = strings.TrimPrefix(s, scheme)
	}
	if hasUser(s + "/") {
		return "", errUser
	}
	host, _, _ := strings.Cut(s, "/")
	named, err := reference.ParseNormalizedNamed(host + "/x/y")
	if err != nil || reference.Domain(named) != host && host != "index.docker.io" {
		return "", content.Errorf(content.ErrInvalid, "%q is no registry", s)
	}
	return reference.Domain(named), nil
}

// OrLatest returns ref with the tag latest if it has neither tag nor digest.
func (ref Reference) OrLatest() Reference {
	if ref.Tag == "" && ref.Digest == "" {
		ref.Tag = "latest"
	}
	return ref
}

// WithTag returns ref with another tag and no digest. A tag that can't be one is
// ErrInvalid.
func (ref Reference) WithTag(tag string) (Reference, error) {
	changed, err := ParseReference(ref.Name() + ":" + tag)
	if err != nil || changed.Tag != tag {
		return ref, content.Errorf(content.ErrInvalid, "%q can't be a tag", tag)
	}
	return changed, nil
}

// Name is the host with the repository.
func (ref Reference) Name() string { return ref.Host + "/" + ref.Repository }

// String writes the reference without the scheme.
func (ref Reference) String() string {
	s := ref.Name()
	if ref.Tag != "" {
		s += ":" + ref.Tag
	}
	if ref.Digest != "" {
		s += "@" + ref.Digest.String()
	}
	return s
}

// with is a tag or digest with the host and repository of ref.
func (ref Reference) with(point string) string {
	if strings.Contains(point, ":") {
		return ref.Name() + "@" + point
	}
	return ref.Name() + ":" + point
}

// point is how the API names what ref means: by the digest where there is one.
func (ref Reference) point() string {
	if ref.Digest != "" {
		return ref.Digest.String()
	}
	return ref.Tag
}

// apiHost is where the registry called host answers.
func apiHost(host string) string {
	if host == "docker.io" {
		return "registry-1.docker.io"
	}
	return host
}

// hostname is a host without its port and brackets.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") && (strings.Count(host, ":") == 1 || strings.HasPrefix(host, "[")) {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

// isLoopback says whether host, which may have a port, is this machine by its name.
func isLoopback(host string) bool {
	name := strings.ToLower(hostname(host))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Unmap().IsLoopback()
}
