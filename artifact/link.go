package artifact

import (
	"path"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// checkLink holds a symbolic link, at the clean path name below a directory, to
// targets inside of that directory, whatever other links there are: ".." may only
// come first in a target, since behind another link it would lead from somewhere
// else than its text says.
func checkLink(name, target string) error {
	if strings.ContainsRune(target, '\\') {
		return content.Errorf(content.ErrRefused, "link %q points at %q, which has a backslash", name, target)
	}
	if _, err := tarx.CleanLink(name, target); err != nil {
		return err
	}
	down := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if down {
				return content.Errorf(content.ErrRefused, "link %q points at %q, which goes down and up again", name, target)
			}
		default:
			down = true
		}
	}
	return nil
}

// below returns the part of the clean path name that is below prefix, "." for
// prefix itself.
func below(name, prefix string) (string, error) {
	switch {
	case prefix == ".":
		return name, nil
	case name == prefix:
		return ".", nil
	}
	rest, ok := strings.CutPrefix(name, prefix+"/")
	if !ok {
		return "", content.Errorf(content.ErrRefused, "member %q is not below %q", name, prefix)
	}
	return path.Clean(rest), nil
}
