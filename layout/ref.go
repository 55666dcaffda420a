package layout

import (
	"os"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A Reference says where content is: LAYOUT[:NAME][@DIGEST]. Layout is a path;
// Name and Digest may each be empty.
type Reference struct {
	Layout string
	Name   string
	Digest content.Digest
}

// String writes the reference as ParseReference reads it.
func (ref Reference) String() string {
	s := ref.Layout
	if ref.Name != "" {
		s += ":" + ref.Name
	}
	if ref.Digest != "" {
		s += "@" + ref.Digest.String()
	}
	return s
}

// schemes are what other tools put before a layout: read, and not needed.
var schemes = []string{"oci-archive:", "oci-layout://", "ocidir://", "oci:"}

// ParseReference reads LAYOUT[:NAME][@DIGEST], with or without a scheme of another
// tool in front. The layout is the longest prefix that is there; if none is, it
// ends at the first ":" (after a Windows drive letter), so that a reference reads
// the same before and after its layout exists. It is ErrInvalid without a
// layout, with a digest that is none, or with a name that can't be one; a
// registry reference is ErrUnsupported.
func ParseReference(s string) (Reference, error) {
	if strings.HasPrefix(s, "docker://") {
		return Reference{}, content.Errorf(content.ErrUnsupported, "%s: a registry is not read or written by this command", s)
	}
	rest := s
	for _, scheme := range schemes {
		if after, ok := strings.CutPrefix(rest, scheme); ok {
			rest = after
			break
		}
	}
	var ref Reference
	if path, d, ok := cutDigest(rest); ok {
		ref.Digest = content.Digest(d)
		if err := content.CheckDigest(ref.Digest); err != nil {
			return Reference{}, content.Errorf(content.ErrInvalid, "%q: %w", s, err)
		}
		rest = path
	}
	ref.Layout, ref.Name = splitLayout(rest)
	if ref.Layout == "" {
		return Reference{}, content.Errorf(content.ErrInvalid, "%q names no layout", s)
	}
	if strings.ContainsRune(s, 0) {
		return Reference{}, content.Errorf(content.ErrInvalid, "%q has a NUL in it", s)
	}
	if ref.Name != "" {
		if err := CheckName(ref.Name); err != nil {
			return Reference{}, err
		}
	}
	return ref, nil
}

// cutDigest cuts at the last "@", if a digest follows: if it has a ":", and the "@"
// is not in the name of a directory that is there.
func cutDigest(s string) (path, d string, ok bool) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return s, "", false
	}
	colon := strings.IndexByte(s[i:], ':')
	if colon < 0 || exists(s) || exists(s[:i+colon]) {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// splitLayout cuts a path from a name.
func splitLayout(s string) (path, name string) {
	if exists(s) {
		return s, ""
	}
	for i := len(s) - 1; i > 0; i-- {
		if s[i] == ':' && exists(s[:i]) {
			return s[:i], s[i+1:]
		}
	}
	from := 0
	if len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/') && isLetter(s[0]) {
		from = 2
	}
	if i := strings.IndexByte(s[from:], ':'); i >= 0 {
		return s[:from+i], s[from+i+1:]
	}
	return s, ""
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
