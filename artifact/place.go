package artifact

import (
	"errors"
	"io/fs"
	"path"

	"github.com/ocilayout/ocilayout/content"
)

// A move gives something that is whole its name: a file or link, a whole tree, or a
// directory of a tree that goes into one that is there.
type move struct {
	from, to string // below the root
	dir      bool   // made at to, not moved
	mode     fs.FileMode
	tree     bool
}

// moves plans how an item gets its name, and fails if something is in the way.
func (s *saver) moves(item planned) ([]move, error) {
	from := path.Join(s.aside, item.staged)
	if !item.Unpack {
		return []move{{from: from, to: item.path}}, s.free(item.path)
	}
	there, err := s.root.Lstat(item.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []move{{from: from, to: item.path, tree: true}}, nil
	case err != nil:
		return nil, err
	case !there.IsDir():
		return nil, content.At(item.path, content.Errorf(content.ErrAlreadyExists, "is there already, and is no directory"))
	}
	var moves []move
	err = fs.WalkDir(s.root.FS(), from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == from {
			return err
		}
		m := move{from: name, to: path.Join(item.path, name[len(from)+1:]), dir: entry.IsDir()}
		moves = append(moves, m)
		if !m.dir {
			return s.free(m.to)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		moves[len(moves)-1].mode = info.Mode().Perm()
		if there, err := s.root.Lstat(m.to); err == nil && !there.IsDir() {
			return content.At(m.to, content.Errorf(content.ErrAlreadyExists, "is there already, and is no directory"))
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return moves, err
}

// free says whether a file may get a name.
func (s *saver) free(name string) error {
	info, err := s.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return content.At(name, content.Errorf(content.ErrAlreadyExists, "is a directory"))
	case !s.o.Overwrite:
		return content.At(name, content.Errorf(content.ErrAlreadyExists, "is there already"))
	}
	return nil
}

// move carries out one move. The directories above are made; a link among them is
// followed only if it stays below the root.
func (s *saver) move(m move) error {
	if err := s.root.MkdirAll(path.Dir(m.to), 0o755); err != nil {
		return err
	}
	switch {
	case m.dir:
		if err := s.root.Mkdir(m.to, m.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case m.tree || s.o.Overwrite:
		return s.root.Rename(m.from, m.to)
	}
	// A link never replaces what came meanwhile; a rename would.
	err := s.root.Link(m.from, m.to)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return content.At(m.to, content.Errorf(content.ErrAlreadyExists, "is there already"))
	}
	if err := s.free(m.to); err != nil { // a filesystem without links
		return err
	}
	return s.root.Rename(m.from, m.to)
}
