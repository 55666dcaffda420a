package layout

import (
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// Inside a Tx an entry has a number: that of its span, or behind all spans that of
// its addition.

// at reads entry i.
func (tx *Tx) at(i int) (Entry, error) {
	if n := tx.base.spans.len(); i >= n {
		return tx.added[i-n].entry()
	}
	if c, ok := tx.replaced[i]; ok {
		return c.entry()
	}
	return tx.base.entry(i)
}

func (tx *Tx) remove(i int) {
	if n := tx.base.spans.len(); i >= n {
		tx.added[i-n].dropped = true
		return
	}
	delete(tx.replaced, i)
	tx.removed[i] = true
}

func (tx *Tx) replace(i int, e Entry) {
	tx.note(i, e)
	if n := tx.base.spans.len(); i >= n {
		tx.added[i-n].newcomer = newcomerOf(e)
		return
	}
	tx.replaced[i] = newcomerOf(e)
}

// insert adds e at the end of its class.
func (tx *Tx) insert(e Entry) {
	tx.added = append(tx.added, addition{newcomer: newcomerOf(e), after: tx.endOf(e.Kind())})
	tx.note(tx.base.spans.len()+len(tx.added)-1, e)
}

// endOf is the last span of a class or one before it; -1 if there is none.
func (tx *Tx) endOf(kind Kind) int {
	if tx.ends == nil {
		tx.ends = map[Kind]int{}
	}
	if end, ok := tx.ends[kind]; ok {
		return end
	}
	end := tx.base.spans.len() - 1
	for end >= 0 && tx.base.spans.at(end).kind > kind {
		end--
	}
	tx.ends[kind] = end
	return end
}

// total is one more than the highest number.
func (tx *Tx) total() int { return tx.base.spans.len() + len(tx.added) }

// live says whether entry i is there, and what it is called.
func (tx *Tx) live(i int) (Summary, bool) {
	n := tx.base.spans.len()
	c, changed := tx.replaced[i]
	switch {
	case i >= n && tx.added[i-n].dropped, tx.removed[i]:
		return Summary{}, false
	case i >= n:
		c = tx.added[i-n].newcomer
	case !changed:
		return tx.base.live(i)
	}
	return c.summary, true
}

// called lists the entries that hold exactly this name.
func (tx *Tx) called(name string) []int {
	return tx.find("n"+name, func(s Summary) bool { return s.holder() == name })
}

// isFresh says whether entry i was brought in by this Tx.
func (tx *Tx) isFresh(i int) bool {
	_, replaced := tx.replaced[i]
	return replaced || tx.met[i] || i >= tx.base.spans.len()
}

// withDigest lists the entries of a digest.
func (tx *Tx) withDigest(d content.Digest) ([]int, error) {
	h := digestHash(d)
	var found []int
	for _, i := range tx.hashed(h) {
		if _, ok := tx.live(i); !ok {
			continue
		}
		e, err := tx.at(i)
		if err != nil {
			return nil, err
		}
		if e.Digest == d {
			found = append(found, i)
		}
	}
	return found, nil
}

// hashed lists the entries whose digest may have the hash h: by going through all
// or, after some searches, by a map, as find does.
func (tx *Tx) hashed(h uint32) []int {
	total := tx.total()
	if tx.searches++; tx.searches > manyLookups && tx.digests == nil {
		tx.digests = make(map[uint32][]int, total)
		for i := range total {
			tx.digests[tx.digestHash(i)] = append(tx.digests[tx.digestHash(i)], i)
		}
	}
	if tx.digests != nil {
		return tx.digests[h]
	}
	var found []int
	for i := range total {
		if tx.digestHash(i) == h {
			found = append(found, i)
		}
	}
	return found
}

// digestHash is the hash of entry i's digest.
func (tx *Tx) digestHash(i int) uint32 {
	n := tx.base.spans.len()
	c, changed := tx.replaced[i]
	switch {
	case i >= n:
		c = tx.added[i-n].newcomer
	case !changed:
		return tx.base.spans.at(i).digest
	}
	return digestHash(c.digest)
}

// withRef lists the entries whose ref.name is exactly ref.
func (tx *Tx) withRef(ref string) []int {
	return tx.find("r"+ref, func(s Summary) bool { return s.RefName == ref })
}

// manyLookups is how many names a Tx looks up by going through all entries; from
// then on it keeps a map.
const manyLookups = 16

// find lists the live entries that match, by going through all or, for the
// key that stands for match, by the map.
func (tx *Tx) find(key string, match func(Summary) bool) []int {
	total := tx.total()
	if tx.lookups++; tx.lookups > manyLookups && tx.names == nil {
		tx.names = make(map[string][]int, 2*total)
		for i := range total {
			if s, ok := tx.live(i); ok {
				tx.names["n"+s.holder()] = append(tx.names["n"+s.holder()], i)
				tx.names["r"+s.RefName] = append(tx.names["r"+s.RefName], i)
			}
		}
	}
	var found []int
	if tx.names != nil {
		for _, i := range tx.names[key] {
			if s, ok := tx.live(i); ok && match(s) {
				found = append(found, i)
			}
		}
		return found
	}
	for i := range total {
		if s, ok := tx.live(i); ok && match(s) {
			found = append(found, i)
		}
	}
	return found
}

// note keeps the maps in step with a new entry i. What left a name stays listed
// under it and is passed over by find.
func (tx *Tx) note(i int, e Entry) {
	if tx.digests != nil {
		h := digestHash(e.Digest)
		if !slices.Contains(tx.digests[h], i) {
			tx.digests[h] = append(tx.digests[h], i)
		}
	}
	if tx.names == nil {
		return
	}
	for _, key := range []string{"n" + e.summary().holder(), "r" + e.RefName()} {
		if !slices.Contains(tx.names[key], i) {
			tx.names[key] = append(tx.names[key], i)
		}
	}
}
