package mutate

import (
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A Selector says which nodes an edit is for. The zero value is every image, and
// no index.
type Selector struct {
	// All is every index too ("[*]").
	All bool
	// Platform, if not nil, is the images for it alone ("[linux/arm64]").
	Platform *content.Platform
}

// ParseSelector splits the value of a flag into the selector in brackets before it,
// if there is one, and the rest. Brackets that hold neither "*" nor a platform, as
// those of a JSON array or of a pattern, belong to the value; what has a slash and
// is no platform is ErrInvalid.
func ParseSelector(value string) (Selector, string, error) {
	inner, ok := strings.CutPrefix(value, "[")
	if !ok {
		return Selector{}, value, nil
	}
	inner, rest, ok := strings.Cut(inner, "]")
	if !ok || strings.ContainsAny(inner, "\", {") {
		return Selector{}, value, nil
	}
	if inner == "*" {
		return Selector{All: true}, rest, nil
	}
	p, err := content.ParsePlatform(inner)
	switch {
	case err == nil:
		return Selector{Platform: &p}, rest, nil
	case strings.Contains(inner, "/"):
		return Selector{}, "", err
	}
	return Selector{}, value, nil
}

// String writes the selector as ParseSelector reads it.
func (s Selector) String() string {
	switch {
	case s.All:
		return "[*]"
	case s.Platform != nil:
		return "[" + content.FormatPlatform(*s.Platform) + "]"
	}
	return ""
}

// image says whether an image for p is selected.
func (s Selector) image(p content.Platform) bool {
	return s.Platform == nil || content.MatchPlatform(*s.Platform, p)
}
