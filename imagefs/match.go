package imagefs

import (
	"iter"
	"path"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// Match says whether a path fits a pattern: in each part between slashes "*" is
// any text, "?" a character, "[a-z]" one of several, and "\" takes the meaning
// from what follows; "**" as a part is any number of parts. A slash in front does
// not count. A pattern that is none is ErrInvalid.
func Match(pattern, name string) (bool, error) {
	parts := strings.Split(strings.Trim(pattern, "/"), "/")
	for _, part := range parts {
		if _, err := path.Match(part, ""); err != nil {
			return false, content.Errorf(content.ErrInvalid, "%q is no pattern for paths", pattern)
		}
	}
	return match(parts, strings.Split(strings.TrimLeft(name, "/"), "/")), nil
}

func match(pattern, names []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range names {
				if match(pattern[1:], names[i:]) {
					return true
				}
			}
			return len(pattern) == 1
		}
		if len(names) == 0 {
			return false
		}
		if ok, _ := path.Match(pattern[0], names[0]); !ok { // the pattern was tried before
			return false
		}
		pattern, names = pattern[1:], names[1:]
	}
	return len(names) == 0
}

func isPattern(s string) bool { return strings.ContainsAny(s, `*?[\`) }

// Select yields the files that a person means by name, in the order of Files: all
// of them for ""; what is in a directory, at any depth; another file by itself; or
// what fits a pattern of [Match], where no file has that name. Links on the way to
// a name are followed, one at its end only if it ends with a slash; patterns are
// compared with paths through no link. Nothing there is ErrNotFound.
func (t *Tree) Select(name string) (iter.Seq[File], error) {
	if strings.Trim(name, "/") == "" {
		return t.Files(), nil
	}
	n, clean, err := (&resolver{root: t.root}).resolve(name, false)
	switch {
	case err != nil:
		return nil, content.At(name, err)
	case n != nil && n.isDir():
		dir := strings.TrimPrefix(clean, ".")
		return func(yield func(File) bool) { n.files(dir, yield) }, nil
	case n != nil:
		return func(yield func(File) bool) { yield(n.file(clean)) }, nil
	case !isPattern(name):
		return nil, content.At(name, content.Errorf(content.ErrNotFound, "no such file in the image"))
	}
	fits, err := fitting(t.Files(), name)
	if err != nil {
		return nil, err
	}
	for range fits {
		return fits, nil
	}
	return nil, content.At(name, content.Errorf(content.ErrNotFound, "no file in the image fits"))
}

func fitting(files iter.Seq[File], pattern string) (iter.Seq[File], error) {
	if _, err := Match(pattern, ""); err != nil {
		return nil, err
	}
	return func(yield func(File) bool) {
		for f := range files {
			if ok, _ := Match(pattern, f.Path); ok && !yield(f) { // the pattern was tried before
				return
			}
		}
	}, nil
}
