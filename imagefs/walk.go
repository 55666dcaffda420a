package imagefs

import (
	"archive/tar"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

const (
	// maxLinks is how many symbolic links one path may lead through, and maxPath
	// how many bytes it may have, also by them.
	maxLinks = 255
	maxPath  = 64 << 10
	// maxSteps is how many directories all members of an image may lead through.
	maxSteps = 1 << 28
)

// A way says what a walk does about directories that are not there.
type way uint8

const (
	looking way = iota // finds nil
	below              // as looking, in what lower layers hold and the layer at hand leaves
	making             // makes them
	marking            // as below, and makes them where nothing is, to keep marks in
)

// walk finds the directory at path as a kernel would whose root is the image's:
// symbolic links are followed and never lead out.
func (m *merger) walk(path string, how way) (*node, error) {
	rest := path
	at, links := m.root, 0
	m.upper.begins()
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if m.steps++; m.steps > maxSteps {
			return nil, content.Errorf(content.ErrRefused, "the paths of the image lead through more than %d directories", maxSteps)
		}
		switch name {
		case "", ".":
			continue
		case "..":
			if at.parent != nil {
				at = at.parent
			}
			continue
		}
		next := at.children[name]
		switch {
		case next != nil && next.isDir():
		case next != nil && next.kind == tar.TypeSymlink:
			if how != looking && how != making && links == 0 && m.lists(path[:len(path)-len(rest)]) {
				return nil, nil // a directory takes the link's place
			}
			if links++; links > maxLinks || len(next.linkname)+len(rest) > maxPath {
				return nil, errLinks()
			}
			m.steps += (len(next.linkname) + len(rest)) / 64 // what copying it is worth
			if strings.HasPrefix(next.linkname, "/") {
				at = m.root
			}
			rest = next.linkname + "/" + rest
			continue
		case how == making || how == marking && next == nil:
			var err error
			if next, err = m.implied(at, name, how); err != nil {
				return nil, err
			}
		default:
			return nil, nil
		}
		at = next
		m.upper.enters(at)
	}
	return at, nil
}

func errLinks() error {
	return content.Errorf(content.ErrCorrupt, "too many symbolic links in the path")
}

// lists says whether the layer at hand has a directory of this path.
func (m *merger) lists(path string) bool {
	if m.dirs == nil {
		m.dirs = map[string]bool{}
		for _, f := range m.list {
			if f.kind == tar.TypeDir {
				m.dirs[f.name] = true
			}
		}
	}
	return m.dirs[strings.Trim(path, "/")]
}
