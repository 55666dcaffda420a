package layout

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

// A dockerName is a name in the grammar that docker, containerd and the registries
// share (the package reference of the CNCF's distribution), in docker's long form:
// what names no registry is of docker.io, and a single word there of library. It is
// read here by hand, since that package compiles its patterns in every process.
type dockerName struct {
	domain string // "" for a first component that is neither a host nor short for one
	path   string
	tag    string // "" for none
	digest string // "" for none
}

const (
	dockerDomain  = "docker.io"
	dockerLibrary = "library/"
	dockerMaxPath = 255
	dockerMaxTag  = 128
)

// parseDockerName says whether name is in the grammar.
func parseDockerName(name string) (n dockerName, ok bool) {
	if len(name) == 64 && content.IsHex(name) {
		return n, false // an identifier of an image in docker
	}
	rest, dgst, hasDigest := strings.Cut(name, "@")
	if _, err := digest.Parse(dgst); hasDigest && err != nil {
		return n, false
	}
	domain, rest := dockerParts(rest)
	path, tag, hasTag := strings.Cut(rest, ":")
	if hasTag && !isDockerTag(tag) {
		return n, false
	}
	if !isDockerHost(domain) {
		domain, path = "", domain+"/"+path
	}
	if len(path) > dockerMaxPath || !isDockerPath(path) {
		return n, false
	}
	return dockerName{domain, path, tag, dgst}, true
}

// dockerParts splits a name behind its registry: the first of several components, if
// it has a dot, a port or capital letters, or is localhost.
func dockerParts(name string) (domain, rest string) {
	first, after, several := strings.Cut(name, "/")
	switch {
	case !several:
		return dockerDomain, dockerLibrary + name
	case first == "index."+dockerDomain:
		domain, rest = dockerDomain, after
	case first == "localhost" || strings.ContainsAny(first, ".:") || strings.ToLower(first) != first:
		domain, rest = first, after
	default:
		domain, rest = dockerDomain, name
	}
	if domain == dockerDomain && !strings.Contains(rest, "/") {
		rest = dockerLibrary + rest
	}
	return domain, rest
}

// name is the long form without tag and digest.
func (n dockerName) name() string {
	if n.domain == "" {
		return n.path
	}
	return n.domain + "/" + n.path
}

// familiar is the short form, with tag and digest.
func (n dockerName) familiar() string {
	name := n.name()
	if n.domain == dockerDomain {
		name = n.path
		if word, ok := strings.CutPrefix(name, dockerLibrary); ok && !strings.Contains(word, "/") {
			name = word
		}
	}
	if n.tag != "" {
		name += ":" + n.tag
	}
	if n.digest != "" {
		name += "@" + n.digest
	}
	return name
}

// isDockerHost says whether s is a host name, or an IPv6 address in brackets, and
// perhaps a port.
func isDockerHost(s string) bool {
	host, port := s, "0"
	if strings.HasPrefix(s, "[") {
		address, after, closed := strings.Cut(s[1:], "]")
		if !closed || address == "" || strings.Trim(address, "0123456789abcdefABCDEF:") != "" {
			return false
		}
		host = ""
		if after != "" {
			if after[0] != ':' {
				return false
			}
			port = after[1:]
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	if port == "" || strings.Trim(port, "0123456789") != "" {
		return false
	}
	if host == "" {
		return s[0] == '['
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isHostLabel(label) {
			return false
		}
	}
	return true
}

func isHostLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && !isLowerAlnum(c) && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// isDockerPath says whether s is components with slashes between: lower-case letters
// and digits, with one dot, one or two underscores, or dashes between some of them.
func isDockerPath(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if !isDockerComponent(part) {
			return false
		}
	}
	return true
}

func isDockerComponent(s string) bool {
	for {
		n := 0
		for n < len(s) && isLowerAlnum(s[n]) {
			n++
		}
		if n == 0 {
			return false
		}
		if s = s[n:]; s == "" {
			return true
		}
		switch {
		case s[0] == '-':
			s = strings.TrimLeft(s, "-")
		case strings.HasPrefix(s, "__"):
			s = s[2:]
		case s[0] == '.' || s[0] == '_':
			s = s[1:]
		default:
			return false
		}
	}
}

func isDockerTag(s string) bool {
	if s == "" || len(s) > dockerMaxTag || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLowerAlnum(c) && (c < 'A' || c > 'Z') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isLowerAlnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
