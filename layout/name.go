package layout

import (
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// NormalizeName tells a name with a repository from a bare tag. A full name comes
// back in docker's long form with its tag (app:latest and library/app are both
// docker.io/library/app:latest, latest); a bare tag comes back as itself. A name
// with a "/" or ":" that is no docker reference is kept as it is, as a bare one.
func NormalizeName(name string) (full, tag string, isFull bool) {
	if !strings.ContainsAny(name, "/:") {
		return name, name, false
	}
	return longName(name)
}

// longName reads name as docker would, a single word as a repository too.
func longName(name string) (full, tag string, ok bool) {
	n, ok := parseDockerName(name)
	if !ok {
		return name, name, false
	}
	if n.tag == "" && n.digest == "" {
		n.tag = "latest"
	}
	if n.tag == "" {
		return name, name, false // a digest in the name
	}
	return n.name() + ":" + n.tag, n.tag, true
}

// FamiliarName is the short form in which docker shows a full name:
// docker.io/library/app:v1 is app:v1. Another name comes back as it is.
func FamiliarName(name string) string {
	n, ok := parseDockerName(name)
	if !ok || !strings.ContainsAny(name, "/:") {
		return name
	}
	return n.familiar()
}

// CheckName refuses what cannot be a name: empty, over 512 bytes, with an "@" (a
// digest begins there), or with a space or control character.
func CheckName(name string) error {
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || r == '@' || r == 0xfffd }
	if name == "" || len(name) > 512 || strings.ContainsFunc(name, bad) {
		return content.Errorf(content.ErrInvalid, "%q can't be a name", name)
	}
	return nil
}

// WithName returns e under a name: a full name is written in docker's long form
// to io.containerd.image.name and its tag to ref.name, a bare tag to ref.name
// alone; "" takes both away.
func (e Entry) WithName(name string) Entry {
	full, tag, isFull := NormalizeName(name)
	if !isFull {
		return e.withNames("", name)
	}
	return e.withNames(full, tag)
}

// withNames sets the two annotations that name an entry, as they are given.
func (e Entry) withNames(imageName, refName string) Entry {
	if e.Annotations[content.AnnotationImageName] != imageName {
		e = e.WithAnnotation(content.AnnotationImageName, imageName)
	}
	if e.Annotations[content.AnnotationRefName] != refName {
		e = e.WithAnnotation(content.AnnotationRefName, refName)
	}
	return e
}

// A matcher says how well entries fit the name that a user gave.
type matcher struct {
	query string
	full  string // docker's long form of the query; "" if it has none
	last  string // the last component of the long form's repository
}

func newMatcher(query string) matcher {
	m := matcher{query: query}
	if full, tag, ok := longName(query); ok {
		m.full = full
		repository := strings.TrimSuffix(full, ":"+tag)
		m.last = repository[strings.LastIndexByte(repository, '/')+1:]
	}
	return m
}

// rank is 1 for the exact name, 2 for the same name to docker, 3 if the query is
// the tag or the end of the name after a "/", and 0 for no match. A stale name
// counts no more than a tag.
func (m matcher) rank(s Summary) int {
	switch {
	case s.Name == "":
		return 0
	case m.same(s.Name) && s.stale():
		return 3
	case s.Name == m.query:
		return 1
	case m.same(s.Name):
		return 2
	case s.RefName == m.query || endsWith(s.Name, m.query):
		return 3
	}
	return 0
}

// same says whether a name is the query, or is the same to docker. Parsing a name
// costs a hundred times more than looking for a part of it.
func (m matcher) same(name string) bool {
	if name == m.query {
		return true
	}
	if m.full == "" || !strings.Contains(name, m.last) {
		return false
	}
	long, _, isFull := NormalizeName(name)
	return isFull && long == m.full
}

// stale says whether the two annotations that name an entry disagree: tools that
// know ref.name alone, such as umoci and oras, give an entry another one and leave
// the full name of the image that it was made from.
func (s Summary) stale() bool {
	return s.RefName != "" && s.RefName != s.Name && !endsWith(s.Name, s.RefName)
}

// holder is the name that the entry stands for where another is to take its place:
// its name, or its tag if the name is stale.
func (s Summary) holder() string {
	if s.stale() {
		return s.RefName
	}
	return s.Name
}

// endsWith says whether end is what stands after a ":" or "/" in name.
func endsWith(name, end string) bool {
	head, ok := strings.CutSuffix(name, end)
	return ok && head != "" && (head[len(head)-1] == ':' || head[len(head)-1] == '/')
}
