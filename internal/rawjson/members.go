package rawjson

import (
	"bytes"
	"fmt"
)

// A member is a key of an object.
type member struct {
	spelling []byte // between its quotes
	hash     uint32 // the same for all keys that fold alike, if the key is plain
	plain    bool   // ASCII without escapes
}

// members are the keys of one object, met so far. While they are few they are
// compared with each other: that is cheaper than a table, which many, or hostile
// ones, must have.
type members struct {
	*checker
	first int            // index of the first in checker.keys
	exact bool           // keys that differ in case differ
	table map[string]int // place in checker.keys by identity; nil while they are few
	odd   bool           // some are not plain
}

// fewMembers is how many keys are compared one by one.
const fewMembers = 16

// add enters one more key, and is a *fault if it is there already.
func (o *members) add(m member) error {
	o.odd = o.odd || !m.plain
	if o.table == nil && (o.odd || len(o.keys)-o.first >= fewMembers) {
		o.table = make(map[string]int, 2*fewMembers)
		for i := o.first; i < len(o.keys); i++ {
			o.table[o.identity(o.keys[i])] = i
		}
	}
	other := -1
	if o.table == nil {
		other = o.find(m)
	} else if i, ok := o.table[o.identity(m)]; ok {
		other = i
	} else {
		o.table[o.identity(m)] = len(o.keys)
	}
	if other < 0 {
		o.keys = append(o.keys, m)
		return nil
	}
	was, is := unquote(o.keys[other].spelling), unquote(m.spelling)
	if was == is {
		return &fault{text: fmt.Sprintf("key %q is there twice", is)}
	}
	return &fault{text: fmt.Sprintf("keys %q and %q are one to some readers", was, is)}
}

// find looks for m among few keys, all plain.
func (o *members) find(m member) int {
	for i := o.first; i < len(o.keys); i++ {
		if k := &o.keys[i]; k.hash == m.hash && o.alike(k.spelling, m.spelling) {
			return i
		}
	}
	return -1
}

// alike says whether two plain keys are one.
func (o *members) alike(a, b []byte) bool {
	if o.exact {
		return bytes.Equal(a, b)
	}
	return bytes.EqualFold(a, b)
}

// identity is what two keys that are one have in common, plain or not.
func (o *members) identity(m member) string {
	if o.exact {
		return unquote(m.spelling)
	}
	return Fold(unquote(m.spelling))
}
