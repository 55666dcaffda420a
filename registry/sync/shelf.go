package sync

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A shelf is a layout as it was found: the names in it.
type shelf struct {
	reader *layout.Reader                // nil if there is no layout
	names  map[string]content.Descriptor // by the full name, or the bare tag
	tags   map[string][]string           // names, by the tag in them
}

// openShelf reads the names of a layout. None is there if the layout is not.
func openShelf(ctx context.Context, path string, o layout.Options) (*shelf, error) {
	s := &shelf{names: map[string]content.Descriptor{}, tags: map[string][]string{}}
	r, err := layout.OpenReader(path, o)
	if errors.Is(err, content.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.reader = r
	err = r.View(ctx, func(x *layout.Index) error {
		for e, err := range x.EntriesIf(func(e layout.Summary) bool { return e.Name != "" }) {
			if err != nil {
				return err
			}
			name := key(e.Name())
			if _, ok := s.names[name]; ok {
				continue // readers take the first one
			}
			s.names[name] = e.Descriptor
			tag := tagOf(name)
			s.tags[tag] = append(s.tags[tag], name)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(content.At(path, err), r.Close())
	}
	return s, nil
}

// present is an error if there is no layout.
func (s *shelf) present(path string) error {
	if s.reader == nil {
		return content.At(path, content.Errorf(content.ErrNotFound, "there is no layout"))
	}
	return nil
}

// key is a name in docker's long form, or a bare tag.
func key(name string) string {
	full, tag, isFull := layout.NormalizeName(name)
	if !isFull {
		return tag
	}
	return full
}

// tagOf is the tag in a name.
func tagOf(name string) string {
	_, tag, _ := layout.NormalizeName(name)
	return tag
}

// repositoryOf is what stands before the tag in a full name; "" for a bare tag.
func repositoryOf(name string) string {
	full, tag, isFull := layout.NormalizeName(name)
	if !isFull {
		return ""
	}
	return strings.TrimSuffix(full, ":"+tag)
}

// find is what a name stands for: the exact name, or else the only one with that tag.
func (s *shelf) find(p Point) (name string, d content.Descriptor, err error) {
	if err := s.present(p.Layout); err != nil {
		return "", d, err
	}
	if d, ok := s.names[key(p.Name)]; ok {
		return p.Name, d, nil
	}
	names := s.tags[p.Name]
	for _, name := range names {
		if s.names[name].Digest != s.names[names[0]].Digest {
			return "", d, content.At(p.Layout, content.Errorf(content.ErrAmbiguous, "%d images have the tag %s: %s", len(names), p.Name, strings.Join(names, ", ")))
		}
	}
	if len(names) == 0 {
		return "", d, content.At(p.String(), content.Errorf(content.ErrNotFound, "not found"))
	}
	return names[0], s.names[names[0]], nil
}

// allTags lists the tags, sorted. A name that has none, since it can't be one of a
// registry either, is left out.
func (s *shelf) allTags() []string {
	var tags []string
	for tag := range s.tags {
		if tagShape.MatchString(tag) {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags
}

func (s *shelf) close() error {
	if s.reader == nil {
		return nil
	}
	return s.reader.Close()
}
