package mutate

import (
	"context"
	"path"
	"strings"
	"sync/atomic"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// Strip removes what fits a pattern of [imagefs.Match] from all layers, with all that
// is below it, and the whiteouts of it. Where other names are hard links to a stripped
// file, the first of them in the layer becomes the file.
//
// A layer that had none of it stays; one that has nothing left goes, and its history
// entry is marked as empty. DiffIDs follow; times in config and history stay; urls, data and
// annotations that describe a layer's old bytes go from its descriptor. A pattern that
// fits nothing gives a warning. A hard link that stays and leads to a stripped file of a
// lower layer, whose bytes are not at hand, is ErrUnsupported.
type Strip struct{ Pattern string }

// Image implements Change.
func (c Strip) Image(_ context.Context, im *Image) error {
	if _, err := imagefs.Match(c.Pattern, ""); err != nil {
		return err
	}
	s := &strip{pattern: strings.Trim(c.Pattern, "/"), found: im.Job.expect("nothing in any layer fits " + c.Pattern)}
	s.plain = !strings.ContainsAny(s.pattern, `*?[\`)
	for _, l := range im.Layers {
		if l.IsTar() {
			l.Do(s)
		}
	}
	return nil
}

// strip is the step of a Strip.
type strip struct {
	pattern string
	plain   bool // no sign of the pattern has a meaning
	found   *atomic.Bool
}

func (s *strip) Key() string { return "strip " + s.pattern }
func (s *strip) Start() Filter {
	return &stripping{strip: s, dirs: map[string]bool{".": false}, gone: map[string]bool{}}
}

// stripping is one pass of it, which remembers what it found of directories.
type stripping struct {
	*strip
	dirs map[string]bool
	gone map[string]bool // files that were dropped
}

func (s *stripping) Member(m *Member) error {
	name := m.Name
	if target, opaque, ok := tarx.Whiteout(m.Name); ok && !opaque {
		name = target
	}
	gone := s.fits(name)
	if !gone && name != m.Name {
		gone = s.fits(m.Name)
	}
	switch {
	case gone:
		s.found.Store(true)
		s.gone[m.Name] = true
		m.Drop()
	case m.Link != "" && !s.gone[m.Link] && s.fits(m.Link):
		m.fault = content.Errorf(content.ErrUnsupported, "%.200q is a hard link to %.200q of a lower layer: strip both or neither", m.Name, m.Link)
	}
	return nil
}

// fits says whether name, or a directory above it, fits the pattern.
func (s *stripping) fits(name string) bool {
	if name == "." {
		return false
	}
	if s.plain {
		return isBelow(name, s.pattern)
	}
	return s.fitsDir(path.Dir(name)) || s.fitsAlone(name)
}

// isBelow says whether name is dir or lies in it.
func isBelow(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir) && name[len(dir)] == '/'
}

func (s *stripping) fitsDir(dir string) bool {
	known, ok := s.dirs[dir]
	if !ok {
		known = s.fits(dir)
		s.dirs[dir] = known
	}
	return known
}

func (s *stripping) fitsAlone(name string) bool {
	ok, _ := imagefs.Match(s.pattern, name) // the pattern was tried before
	return ok
}

func stripFlags() []Flag {
	return []Flag{{Name: "strip-file", Usage: "remove what fits `GLOB` from all layers, with all below it: * is any text between slashes, ** any directories",
		Parse: selected(func(value string, _ FlagEnv) (Change, error) {
			if strings.Trim(value, "/") == "" {
				return nil, content.Errorf(content.ErrInvalid, "nothing is named that could be removed")
			}
			_, err := imagefs.Match(value, "")
			return Strip{value}, err
		})}}
}
