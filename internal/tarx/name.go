// Package tarx reads and writes tar archives as the image tools need it: a
// reader that takes nothing on trust, names that stay inside, a writer whose
// bytes depend on its input alone, and the whiteout marks of layers.
package tarx

import (
	"path"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// CleanName returns the slash-separated relative path that a member's name
// means: without a leading "./", doubled slashes or a slash at the end. The root
// itself, "./", is ".". A name that could lead elsewhere on any system gives
// content.ErrRefused: an absolute one, one with a ".." or starting with a drive
// letter, an empty one, one that holds a NUL, or a whiteout of such. Backslashes are allowed, as
// systemd puts them in the names of its units, unless they would do one of these
// things where they separate paths.
func CleanName(name string) (string, error) {
	clean := path.Clean(name)
	if fault := nameFault(name, clean); fault != "" {
		return "", content.Errorf(content.ErrRefused, "member name %s %s", quote(name), fault)
	}
	return clean, nil
}

// MemberName is the path from the root of an image that a name in a layer means; "" is
// the root. Unlike in other archives an absolute one starts there too. One that leads
// out is content.ErrRefused, an empty one content.ErrCorrupt.
func MemberName(name string) (string, error) {
	clean := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if !isClean(clean) {
		clean = path.Clean(strings.TrimLeft(name, "/"))
	}
	switch {
	case name == "":
		return "", content.Errorf(content.ErrCorrupt, "a member has no name")
	case clean == ".":
		return "", nil
	case clean == "..", strings.HasPrefix(clean, "../"):
		return "", content.Errorf(content.ErrRefused, "the name %s leads out of the root", quote(name))
	}
	return clean, nil
}

// isClean says that a path is as path.Clean would leave it, and leads nowhere but down.
// It is quick, for there are millions.
func isClean(name string) bool {
	after := byte('/')
	for i := range len(name) {
		if after == '/' && (name[i] == '/' || name[i] == '.') {
			return false // or begins with a dot, which is looked at more closely
		}
		after = name[i]
	}
	return after != '/'
}

// nameFault says what is wrong with a name, or with what it is when it is clean: a "./"
// that cleaning takes away may hide what stands behind it.
func nameFault(name, clean string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.ContainsRune(name, 0):
		return "contains a NUL"
	case name[0] == '/', name[0] == '\\', clean[0] == '\\':
		return "is absolute"
	case hasDrive(name):
		return "starts with a drive letter"
	case hasDotDot(name):
		return `leads outside with ".."`
	}
	if target, _, ok := Whiteout(clean); ok && nameFault(target, target) != "" {
		return "removes what is outside"
	}
	return ""
}

// hasDrive looks behind leading "./", which cleaning takes away.
func hasDrive(name string) bool {
	name = strings.TrimLeft(name, "./\\")
	return len(name) >= 2 && name[1] == ':' && ('a' <= name[0]|0x20 && name[0]|0x20 <= 'z')
}

func hasDotDot(name string) bool {
	for part := range strings.FieldsFuncSeq(name, isSeparator) {
		if part == ".." {
			return true
		}
	}
	return false
}

func isSeparator(r rune) bool { return r == '/' || r == '\\' }

// CleanLink returns the path, from the archive's root, that the symbolic link
// name points at with target. Both are slash-separated, and name is clean. A
// target that is absolute, empty or leads outside the archive gives
// content.ErrRefused.
func CleanLink(name, target string) (string, error) {
	if target == "" || target[0] == '/' || target[0] == '\\' || hasDrive(target) || strings.ContainsRune(target, 0) {
		return "", content.Errorf(content.ErrRefused, "link %s points outside, at %s", quote(name), quote(target))
	}
	p := path.Join(path.Dir(name), target)
	if hasDotDot(p) {
		return "", content.Errorf(content.ErrRefused, "link %s points outside, at %s", quote(name), quote(target))
	}
	return p, nil
}
