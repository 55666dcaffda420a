package layout

import (
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A lookup finds entries by name in an Index, or in a Tx with its changes: they are
// numbered, and live says which of the numbers are there.
type lookup struct {
	n     int
	live  func(i int) (Summary, bool)
	entry func(i int) (Entry, error)
}

// resolve is Index.Resolve.
func (l lookup) resolve(name string) (Entry, error) {
	if name == "" {
		return l.only()
	}
	var best [4][]int
	m := newMatcher(name)
	for i := range l.n {
		s, ok := l.live(i)
		if rank := m.rank(s); ok && rank > 0 {
			best[rank] = append(best[rank], i)
		}
	}
	for _, found := range best {
		if len(found) > 0 {
			return l.one(name, found)
		}
	}
	return Entry{}, content.Errorf(content.ErrNotFound, "no entry is called %q", name)
}

// one returns the first of the entries, which must all have its digest.
func (l lookup) one(name string, found []int) (Entry, error) {
	first, err := l.entry(found[0])
	if err != nil {
		return Entry{}, err
	}
	for _, i := range found[1:] {
		other, err := l.entry(i)
		if err != nil {
			return Entry{}, err
		}
		if other.Digest != first.Digest {
			choices, err := l.choices(found)
			return Entry{}, firstError(err, content.Errorf(content.ErrAmbiguous, "%q fits several entries: %s", name, choices))
		}
	}
	return first, nil
}

// only is what the empty name means.
func (l lookup) only() (Entry, error) {
	var images, latest, exact, all []int
	for i := range l.n {
		s, ok := l.live(i)
		if !ok {
			continue
		}
		all = append(all, i)
		if s.Kind > KindImage || isCosignTag(s.Name) {
			continue
		}
		images = append(images, i)
		if s.Name == "latest" {
			exact = append(exact, i)
		}
		if s.RefName == "latest" || strings.HasSuffix(s.Name, ":latest") {
			latest = append(latest, i)
		}
	}
	switch {
	case len(images) == 0 && len(all) == 1:
		return l.entry(all[0])
	case len(images) == 0:
		return Entry{}, content.Errorf(content.ErrNotFound, "the layout has no image")
	case len(images) == 1:
		return l.entry(images[0])
	case len(exact) > 0: // before the latest of something, as when it is asked for
		return l.one("latest", exact)
	case len(latest) == 1:
		return l.entry(latest[0])
	}
	choices, err := l.choices(images)
	return Entry{}, firstError(err, content.Errorf(content.ErrAmbiguous, "say which image: %s", choices))
}

// choices lists entries for an error, a bounded number of them.
func (l lookup) choices(found []int) (string, error) {
	const most = 10
	var list []string
	for _, i := range found[:min(len(found), most)] {
		e, err := l.entry(i)
		if err != nil {
			return "", err
		}
		list = append(list, strings.TrimPrefix(e.Name()+"@"+content.Short(e.Digest), "@"))
	}
	if len(found) > most {
		list = append(list, "...")
	}
	return strings.Join(list, ", "), nil
}
