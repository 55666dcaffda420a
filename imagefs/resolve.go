package imagefs

import (
	"archive/tar"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A resolver finds what a path leads to, as a kernel would whose root is the
// image's: links never lead out of it.
type resolver struct {
	root *node
	// trail, if set, is told each name on the way: where it is looked for, and what
	// it is, nil for nothing. up is told of each directory left by "..".
	trail func(dir *node, path string, n *node)
	up    func(dir *node)

	at    *node
	names []string // of the directories that lead to at
	links int
}

// resolve returns the node at p and its path through no link, or nil if there is
// none. A link at the end of p is followed if follow is set or p ends with a slash.
func (r *resolver) resolve(p string, follow bool) (*node, string, error) {
	rest, directory := p, strings.HasSuffix(p, "/")
	if len(rest) > maxPath {
		return nil, "", errLinks()
	}
	r.at = r.root
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if name == ".." {
			r.leave()
		}
		if name == "" || name == "." || name == ".." {
			continue
		}
		next := r.at.children[name]
		if r.trail != nil {
			r.trail(r.at, r.path(name), next)
		}
		switch {
		case next == nil:
			return nil, "", nil
		case next.isDir():
			r.at, r.names = next, append(r.names, name)
		case next.kind == tar.TypeSymlink && (rest != "" || follow || directory):
			if err := r.link(next.linkname, &rest); err != nil {
				return nil, "", err
			}
		case rest != "" || directory:
			return nil, "", nil // in a file is nothing
		default:
			return next, r.path(name), nil
		}
	}
	return r.at, r.path("."), nil
}

// link puts a link's target in front of what is left of the path.
func (r *resolver) link(target string, rest *string) error {
	if r.links++; r.links > maxLinks || len(target)+len(*rest) > maxPath {
		return errLinks()
	}
	if strings.HasPrefix(target, "/") {
		r.at, r.names = r.root, nil
	}
	if *rest != "" {
		target += "/" + *rest
	}
	*rest = target
	return nil
}

func (r *resolver) leave() {
	if r.up != nil {
		r.up(r.at)
	}
	if r.at.parent != nil {
		r.at, r.names = r.at.parent, r.names[:len(r.names)-1]
	}
}

// path is that of a name in the directory at hand; "." is the directory itself.
func (r *resolver) path(name string) string {
	dir := strings.Join(r.names, "/")
	if name == "." && dir != "" {
		return dir
	}
	return join(dir, name)
}

// Lookup finds the file at path, which begins at the root with or without a slash.
// Links on the way are followed inside the image, one at the end if follow is set
// or path ends with a slash. Nothing there is ErrNotFound; more than 255 links are
// ErrCorrupt.
func (t *Tree) Lookup(path string, follow bool) (File, error) {
	n, clean, err := t.find(path, follow)
	if err != nil {
		return File{}, content.At(path, err)
	}
	return n.file(clean), nil
}

func (t *Tree) find(path string, follow bool) (*node, string, error) {
	r := resolver{root: t.root}
	n, clean, err := r.resolve(path, follow)
	if err == nil && n == nil {
		err = content.Errorf(content.ErrNotFound, "no such file in the image")
	}
	return n, clean, err
}

func (n *node) file(path string) File {
	f := File{Path: path, Body: int(n.body), inode: n.inode}
	if n.path != "" && n.path != path {
		f.Link, f.Body = n.path, -1
	}
	return f
}
