package mutate

import (
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A Selector says which nodes an edit is for. The zero value is every image, and
// no index.
type Selector struct {
	// All is every index too ("[*]").
	All bool
	// Platforms, if there are any, are the only ones whose images are selected
	// ("[linux/arm64]", "[linux/amd64,linux/arm64]").
	Platforms []content.Platform
}

// parsePlatform reads a platform. An operating system alone is refused: which
// architecture it stands for depends on the machine, and what an edit does must not.
func parsePlatform(text string) (content.Platform, error) {
	p, err := content.ParsePlatform(text)
	if err != nil {
		return p, err
	}
	if os, err := content.ParsePlatform(text + "/amd64"); err == nil && os.OS == p.OS && !strings.Contains(text, "/") {
		return p, content.Errorf(content.ErrInvalid, "%q names no architecture: want os/arch or os/arch/variant", text)
	}
	return p, nil
}

// ParseSelector splits the value of a flag into the selector in brackets before it,
// if there is one, and the rest. Brackets that hold neither "*" nor platforms, as
// those of a JSON array or of a pattern, belong to the value; what has a slash and
// is no platform, or is an operating system alone, is ErrInvalid.
func ParseSelector(value string) (Selector, string, error) {
	inner, ok := strings.CutPrefix(value, "[")
	if !ok {
		return Selector{}, value, nil
	}
	inner, rest, ok := strings.Cut(inner, "]")
	if !ok || strings.ContainsAny(inner, "\" {") {
		return Selector{}, value, nil
	}
	if inner == "*" {
		return Selector{All: true}, rest, nil
	}
	var s Selector
	for text := range strings.SplitSeq(inner, ",") {
		if _, err := content.ParsePlatform(text); err != nil && !strings.Contains(inner, "/") {
			return Selector{}, value, nil
		}
		p, err := parsePlatform(text)
		if err != nil {
			return Selector{}, "", err
		}
		s.Platforms = append(s.Platforms, p)
	}
	return s, rest, nil
}

// String writes the selector as ParseSelector reads it.
func (s Selector) String() string {
	if s.All {
		return "[*]"
	}
	var texts []string
	for _, p := range s.Platforms {
		texts = append(texts, content.FormatPlatform(p))
	}
	if texts == nil {
		return ""
	}
	return "[" + strings.Join(texts, ",") + "]"
}

// image says whether an image for p is selected.
func (s Selector) image(p content.Platform) bool {
	return len(s.Platforms) == 0 || slices.ContainsFunc(s.Platforms, func(want content.Platform) bool { return content.MatchPlatform(want, p) })
}
