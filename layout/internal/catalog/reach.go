package catalog

import "github.com/ocilayout/ocilayout/content"

// A Reach is the set of everything that index.json leads to, as far as is known.
type Reach struct{ set map[string]struct{} }

// Reach gathers it: the manifests that were read, and what they refer to but as
// their subject.
func (f Facts) Reach() (Reach, error) {
	reach := Reach{map[string]struct{}{}}
	err := f.t.scan(manifests, nil, func(key, value []byte) error {
		r, err := decodeRecord(value)
		if err != nil || digestSize(key) == 0 {
			return ErrDamaged
		}
		reach.set[shorten(key)] = struct{}{}
		for _, e := range r.edges {
			reach.set[e] = struct{}{}
		}
		for _, c := range r.children {
			reach.set[short(c.Digest)] = struct{}{}
		}
		return nil
	})
	return reach, err
}

// Has says whether d is in it. Like everything here it is no proof.
func (r Reach) Has(d content.Digest) bool {
	_, ok := r.set[short(d)]
	return ok
}
