package sync

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// layoutScheme stands in front of the path of a layout, as regclient has it.
const layoutScheme = "ocidir://"

// A Place is where names are: a repository of a registry, or a layout.
type Place struct {
	Layout           string // its path; "" for a repository
	Host, Repository string
}

// A Point is what a name or a digest stands for in a place.
type Point struct {
	Place
	Name   string // a tag, or in a layout any name
	Digest content.Digest
}

// String writes a point as the configuration has it.
func (p Point) String() string {
	text := layoutScheme + p.Layout
	if p.Layout == "" {
		text = p.Host
		if p.Repository != "" {
			text += "/" + p.Repository
		}
	}
	if p.Name != "" {
		text += ":" + p.Name
	}
	if p.Digest != "" {
		text += "@" + p.Digest.String()
	}
	return text
}

// named is another name in the same place.
func (p Place) named(name string) Point { return Point{Place: p, Name: name} }

// reference is the point in a registry.
func (p Point) reference() registry.Reference {
	return registry.Reference{Host: p.Host, Repository: p.Repository, Tag: p.Name, Digest: p.Digest}
}

// inLayout is the point in a layout. With a digest the name does not matter.
func (p Point) inLayout() layout.Reference {
	if p.Digest != "" {
		return layout.Reference{Digest: p.Digest}
	}
	return layout.Reference{Name: p.Name}
}

// below is a repository inside of a registry, or of a path in it, or a layout inside of
// a directory.
func (p Place) below(repository string) Place {
	switch {
	case p.Layout != "":
		p.Layout = filepath.Join(p.Layout, filepath.FromSlash(repository))
	case p.Repository != "":
		p.Repository += "/" + repository
	default:
		p.Repository = repository
	}
	return p
}

// tagShape is the grammar of a tag (distribution-spec, "Pulling manifests").
var tagShape = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// parsePoint reads HOST/REPOSITORY[:TAG][@DIGEST] or ocidir://PATH[:TAG][@DIGEST].
func parsePoint(text string) (Point, error) {
	path, isLayout := strings.CutPrefix(text, layoutScheme)
	if !isLayout {
		if scheme, _, ok := strings.Cut(text, "://"); ok && !registry.IsReference(text) {
			return Point{}, content.Errorf(content.ErrUnsupported, "%q: %s:// is not known; want ocidir://PATH or HOST/REPOSITORY", text, scheme)
		}
		ref, err := registry.ParseReference(text)
		return Point{Place{Host: ref.Host, Repository: ref.Repository}, ref.Tag, ref.Digest}, err
	}
	var p Point
	if before, after, ok := strings.Cut(path, "@"); ok && content.CheckDigest(content.Digest(after)) == nil {
		path, p.Digest = before, content.Digest(after)
	}
	if i := strings.LastIndexByte(path, ':'); i > 0 && tagShape.MatchString(path[i+1:]) {
		path, p.Name = path[:i], path[i+1:]
	}
	if path == "" {
		return p, content.Errorf(content.ErrInvalid, "%q has no path", text)
	}
	p.Layout = filepath.Clean(path)
	return p, nil
}

// parseImage reads one image; without tag and digest it is the tag latest.
func parseImage(text string) (Point, error) {
	p, err := parsePoint(text)
	if p.Name == "" && p.Digest == "" {
		p.Name = "latest"
	}
	return p, err
}

// parsePlace reads a repository or a layout, with neither tag nor digest.
func parsePlace(text string) (Point, error) {
	p, err := parsePoint(text)
	if err == nil && (p.Name != "" || p.Digest != "") {
		err = content.Errorf(content.ErrInvalid, "%q is one image, and a repository or a layout is wanted", text)
	}
	return p, err
}

// parseRoot reads HOST[/PATH], below which repositories are, or a layout or a directory
// of layouts.
func parseRoot(text string) (Point, error) {
	if strings.HasPrefix(text, layoutScheme) {
		return parsePlace(text)
	}
	bare := strings.TrimPrefix(text, registry.Scheme)
	host, path, deeper := strings.Cut(strings.TrimSuffix(bare, "/"), "/")
	host, err := registry.ParseHost(host)
	if err != nil || !deeper {
		return Point{Place: Place{Host: host}}, err
	}
	p, err := parsePlace(host + "/" + path)
	if host == "docker.io" && !strings.Contains(path, "/") {
		p.Repository = path // nothing is in library/ that was not put there by name
	}
	return p, err
}

// overlaps says whether p and q may have names in common, or one be inside the other.
func (p Place) overlaps(q Place) bool {
	if p.Layout != "" || q.Layout != "" {
		return p.Layout != "" && q.Layout != "" && (within(p.Layout, q.Layout, string(filepath.Separator)) || within(q.Layout, p.Layout, string(filepath.Separator)))
	}
	return p.Host == q.Host && (within(p.Repository, q.Repository, "/") || within(q.Repository, p.Repository, "/"))
}

// within says whether path is root or below it; "" is above all.
func within(path, root, separator string) bool {
	return root == "" || root == "." || path == root || strings.HasPrefix(path, strings.TrimSuffix(root, separator)+separator)
}

// waves cuts entries into parts that can each be looked at as a whole before anything of
// it is done: an entry whose source an earlier one writes to begins a new part.
func waves(entries []*Entry) [][]*Entry {
	var all [][]*Entry
	for _, e := range entries {
		last := len(all) - 1
		if last < 0 || slices.ContainsFunc(all[last], func(before *Entry) bool { return e.source.overlaps(before.target.Place) }) {
			all, last = append(all, nil), last+1
		}
		all[last] = append(all[last], e)
	}
	return all
}
