package layout

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/ocilayout/ocilayout/content"
)

// A shape is how a tool spells its entries: the bytes of one that quickEntry found
// plain, with gaps where entries of one tool differ. Another entry that has the same
// bytes between its gaps, and plain texts and numbers in them, needs no second look:
// its grammar is that of the first, and what a summary keeps lies in the same places.
type shape struct {
	gaps []gap
	tail []byte  // behind the last gap
	same summary // what all entries of the shape have
}

// A gap is a value that differs from entry to entry.
type gap struct {
	before []byte // from the gap before up to this one
	number bool   // a natural number; else what stands between quotes
	part   part
}

// A part is one of a summary that is a gap of a shape.
type part uint8

const (
	partNone part = iota
	partDigest
	partSize
	partImageName
	partRefName
	partSubject
	partListed
)

// annotationPart is the part of a summary that an annotation is.
func annotationPart(key string) part {
	switch key {
	case content.AnnotationImageName:
		return partImageName
	case content.AnnotationRefName:
		return partRefName
	case content.AnnotationSubject:
		return partSubject
	case annotationListed, annotationOlaregListed:
		return partListed
	}
	return partNone
}

func (s *summary) set(p part, b []byte) {
	switch p {
	case partDigest:
		s.digest = b
	case partSize:
		s.size = b
	case partImageName:
		s.imageName = b
	case partRefName:
		s.refName = b
	case partSubject:
		s.subject = b
	case partListed:
		s.listed = b
	}
}

// newShape makes a shape of an entry that quickEntry found plain; ok is false for
// one whose size is not spelled as sizes are.
func newShape(entry []byte, s *summary) (sh shape, ok bool) {
	if s.sizeOdd || s.size != nil && !isNatural(s.size) {
		return shape{}, false
	}
	sh.same = summary{mediaType: bytes.Clone(s.mediaType), artifactType: bytes.Clone(s.artifactType)}
	entry = bytes.Clone(entry)
	cut := 0 // end of the gap before
	// A value is stepped over at the start of b, which ends where the entry does.
	value := func(b []byte, p part) (int, error) {
		n, err := skipValue(b, quickDepth)
		from, to := len(entry)-len(b), len(entry)-len(b)+n
		if number := b[0] != '"'; !number {
			from, to = from+1, to-1
		}
		if isPlain(entry[from:to]) {
			sh.gaps = append(sh.gaps, gap{before: entry[cut:from], number: b[0] != '"', part: p})
			cut = to
		}
		return n, err
	}
	_, err := eachField(entry, func(key, b []byte) (int, error) {
		switch string(key) {
		case "digest":
			return value(b, partDigest)
		case "size":
			return value(b, partSize)
		case "annotations":
			return eachField(b, func(key, b []byte) (int, error) {
				if b[0] != '"' {
					return skipValue(b, quickDepth)
				}
				return value(b, annotationPart(string(key)))
			})
		}
		return skipValue(b, quickDepth)
	})
	sh.tail = entry[cut:]
	return sh, err == nil
}

// match sums up the entry at the start of b and returns its length, if it has the
// shape; else 0.
func (sh *shape) match(b []byte, s *summary) int {
	*s = sh.same
	i := 0
	for k := range sh.gaps {
		g := &sh.gaps[k]
		if !bytes.HasPrefix(b[i:], g.before) {
			return 0
		}
		i += len(g.before)
		var n int
		if g.number {
			n = naturalLen(b[i:])
		} else {
			n = plainLen(b[i:])
		}
		if n < 0 {
			return 0
		}
		s.set(g.part, b[i:i+n])
		i += n
	}
	if !bytes.HasPrefix(b[i:], sh.tail) {
		return 0
	}
	return i + len(sh.tail)
}

// plainLen is how many bytes at the start of b are plain and no quote.
func plainLen(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		slash, quote := x^ones*'\\', x^ones*'"' // a zero byte where there is one
		odd := x | (x - ones*' ') | (slash - ones) | (quote - ones)
		if odd &= highs; odd != 0 {
			return n + bits.TrailingZeros64(odd)/8
		}
	}
	for n < len(b) && b[n] >= ' ' && b[n] != '"' && b[n] != '\\' && b[n] < 0x80 {
		n++
	}
	return n
}

// naturalLen is the length of the natural number at the start of b; -1 if there is
// none.
func naturalLen(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n == 0 || b[0] == '0' && n > 1 {
		return -1
	}
	return n
}

// shapes are those that a scan has met. Its zero value knows none.
type shapes struct {
	list   []shape
	last   int // that of the entry before
	misses int // entries of no known shape, less those of one
	looks  int // entries of no known shape
}

const (
	maxShapes = 8
	maxMisses = 64       // from then on entries are held to be all different
	maxShape  = 16 << 10 // bytes of an entry
)

// match is shape.match with the shapes that are known.
func (k *shapes) match(b []byte, s *summary) int {
	if k.misses > maxMisses {
		return 0
	}
	for i := range k.list {
		// The one of the entry before is tried first.
		at := (k.last + i) % len(k.list)
		if n := k.list[at].match(b, s); n > 0 {
			k.last = at
			k.misses = max(k.misses-1, 0)
			return n
		}
	}
	return 0
}

// learn takes note of an entry that no shape matched.
func (k *shapes) learn(entry []byte, s *summary) {
	k.looks++
	if k.misses++; k.misses > maxMisses || len(entry) > maxShape {
		return
	}
	sh, ok := newShape(entry, s)
	switch {
	case !ok:
	case len(k.list) < maxShapes:
		k.last = len(k.list)
		k.list = append(k.list, sh)
	default:
		k.last = (k.last + 1) % maxShapes
		k.list[k.last] = sh
	}
}
