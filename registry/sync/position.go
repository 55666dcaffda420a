package sync

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/ocilayout/ocilayout/content"
)

// maxConfig is the most bytes of a configuration.
const maxConfig = 4 << 20

// A file is a configuration that is being read.
type file struct {
	name     string
	tree     *ast.File
	env      Environment
	warnings []error
}

// decode reads the YAML strictly.
func (f *file) decode(data []byte, c *Config) (err error) {
	if len(data) > maxConfig {
		return content.At(f.name, content.Errorf(content.ErrRefused, "it has more than %d bytes", maxConfig))
	}
	if err := checkNesting(data); err != nil {
		return content.At(f.name, err)
	}
	if f.tree, err = parser.ParseBytes(data, 0); err != nil {
		return f.broken(err)
	}
	if err := checkExpansion(f.tree); err != nil {
		return content.At(f.name, err)
	}
	if len(f.tree.Docs) > 1 {
		return content.At(f.name, content.Errorf(content.ErrInvalid, "there are %d documents in it, and one is wanted", len(f.tree.Docs)))
	}
	// The parser refused what is twice in one mapping; the decoder would refuse, too, what
	// is said anew beside a merged one.
	if err := yaml.UnmarshalWithOptions(data, c, yaml.Strict(), yaml.AllowFieldPrefixes("x-"), yaml.AllowDuplicateMapKey()); err != nil {
		return f.broken(err)
	}
	return nil
}

// broken is what the parser says, in one line with a place.
func (f *file) broken(err error) error {
	var found yaml.Error
	if !errors.As(err, &found) {
		return content.At(f.name, content.Errorf(content.ErrInvalid, "%s", oneLine(err.Error())))
	}
	place := f.name
	if t := found.GetToken(); t != nil && t.Position != nil {
		place = fmt.Sprintf("%s:%d:%d", f.name, t.Position.Line, t.Position.Column)
	}
	return content.At(place, content.Errorf(content.ErrInvalid, "%s", oneLine(found.GetMessage())))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// at puts the place of a value in front of an error about it, or that of the nearest
// thing around it that has one: what comes from an anchor has none.
func (f *file) at(path string, err error) error {
	if err == nil {
		return nil
	}
	for path != "" {
		if p, e := yaml.PathString(path); e == nil {
			if node, e := p.FilterFile(f.tree); e == nil && node != nil && node.GetToken() != nil {
				at := node.GetToken().Position
				if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
					at = m.Values[0].Key.GetToken().Position
				}
				return content.At(fmt.Sprintf("%s:%d:%d", f.name, at.Line, at.Column), err)
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return content.At(f.name, err)
}

// warn notes a key that has no effect.
func (f *file) warn(path, format string, args ...any) {
	f.warnings = append(f.warnings, f.at(path, content.Errorf(content.ErrUnsupported, format, args...)))
}

// refuse is about a key that would change the result and that is not done here.
func (f *file) refuse(path, format string, args ...any) error {
	return f.at(path, content.Errorf(content.ErrUnsupported, format, args...))
}

// invalid is about a value that means nothing.
func (f *file) invalid(path, format string, args ...any) error {
	return f.at(path, content.Errorf(content.ErrInvalid, format, args...))
}
