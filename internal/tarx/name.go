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
// letter, an empty one, or one that holds a NUL. Backslashes are allowed, as
// systemd puts them in the names of its units, unless they would do one of these
// things where they separate paths.
func CleanName(name string) (string, error) {
	if fault := nameFault(name); fault != "" {
		return "", content.Errorf(content.ErrRefused, "member name %s %s", quote(name), fault)
	}
	return path.Clean(name), nil
}

// nameFault says what is wrong with a name, or nothing.
func nameFault(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.ContainsRune(name, 0):
		return "contains a NUL"
	case name[0] == '/', name[0] == '\\':
		return "is absolute"
	case hasDrive(name):
		return "starts with a drive letter"
	case hasDotDot(name):
		return `leads outside with ".."`
	default:
		return ""
	}
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
