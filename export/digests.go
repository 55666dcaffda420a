package export

import (
	"bytes"
	"encoding/hex"
	"hash/maphash"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A digestID stands for a digest. 0 is none.
type digestID uint32

// digests numbers digests: a plan has the same ones in many places, and there may
// be hundreds of thousands. Those of sha256, which nearly all are, take the bytes of
// the hash and nothing more.
type digests struct {
	sums   list[[32]byte] // by digestID
	others map[digestID]content.Digest
	known  map[content.Digest]digestID // of others
	slots  []digestID                  // a hash table of sums, at most three quarters full
	seed   maphash.Seed
}

func newDigests() *digests {
	d := &digests{
		others: map[digestID]content.Digest{}, known: map[content.Digest]digestID{},
		slots: make([]digestID, 1024), seed: maphash.MakeSeed(),
	}
	d.sums.add([32]byte{}) // that of 0
	return d
}

const sha256Prefix = "sha256:"

// parseSHA256 gives the hash in a digest as this module writes it. That of 0 is
// left to those who take it for a text.
func parseSHA256[T content.Digest | []byte](dgst T) (sum [32]byte, ok bool) {
	if len(dgst) != len(sha256Prefix)+64 || string(dgst[:len(sha256Prefix)]) != sha256Prefix {
		return sum, false
	}
	for i := range sum {
		high, low := nibble[dgst[len(sha256Prefix)+2*i]], nibble[dgst[len(sha256Prefix)+2*i+1]]
		if high|low > 15 {
			return sum, false
		}
		sum[i] = high<<4 | low
	}
	return sum, sum != [32]byte{}
}

// nibble is the value of a lower-case hex digit; 16 for what is none.
var nibble = func() (table [256]byte) {
	for c := range table {
		table[c] = 16
	}
	for value, c := range "0123456789abcdef" {
		table[c] = byte(value)
	}
	return table
}()

// find is the number of a digest; 0 if it has none yet, or is empty.
func (d *digests) find(dgst content.Digest) digestID {
	sum, ok := parseSHA256(dgst)
	if !ok {
		return d.known[dgst]
	}
	return d.slots[d.slot(&sum)]
}

// slot is where sum is, or would be.
func (d *digests) slot(sum *[32]byte) int {
	mask := len(d.slots) - 1
	at := int(maphash.Bytes(d.seed, sum[:])) & mask
	for d.slots[at] != 0 && *d.sums.at(int(d.slots[at])) != *sum {
		at = (at + 1) & mask
	}
	return at
}

// id is the number of a digest, which gets one if it has none. The empty digest is 0.
func (d *digests) id(dgst content.Digest) digestID {
	if dgst == "" {
		return 0
	}
	sum, ok := parseSHA256(dgst)
	if !ok {
		id := d.known[dgst]
		if id == 0 {
			id = digestID(d.sums.len())
			dgst = content.Digest(strings.Clone(string(dgst)))
			d.known[dgst], d.others[id] = id, dgst
			d.sums.add(sum)
		}
		return id
	}
	return d.idOf(&sum)
}

// idOf is id of a hash.
func (d *digests) idOf(sum *[32]byte) digestID {
	at := d.slot(sum)
	if d.slots[at] == 0 {
		d.slots[at] = digestID(d.sums.len())
		d.sums.add(*sum)
		if d.sums.len() > len(d.slots)/4*3 {
			d.grow()
		}
		return digestID(d.sums.len() - 1)
	}
	return d.slots[at]
}

func (d *digests) grow() {
	old := d.slots
	d.slots = make([]digestID, 2*len(old))
	for _, id := range old {
		if id != 0 {
			d.slots[d.slot(d.sums.at(int(id)))] = id
		}
	}
}

// sha256 is the hash of a digest of that algorithm.
func (d *digests) sha256(id digestID) (sum *[32]byte, ok bool) {
	if _, other := d.others[id]; other || id == 0 {
		return nil, false
	}
	return d.sums.at(int(id)), true
}

// digest is what a number stands for.
func (d *digests) digest(id digestID) content.Digest {
	if id == 0 {
		return ""
	}
	if dgst, ok := d.others[id]; ok {
		return dgst
	}
	var room [len(sha256Prefix) + 64]byte
	return content.Digest(d.appendTo(room[:0], id))
}

// appendTo appends the digest to b.
func (d *digests) appendTo(b []byte, id digestID) []byte {
	sum, ok := d.sha256(id)
	if !ok {
		return append(b, d.others[id]...)
	}
	return hex.AppendEncode(append(b, sha256Prefix...), sum[:])
}

// compare orders digests as their texts are ordered.
func (d *digests) compare(a, b digestID) int {
	if a == b {
		return 0
	}
	sumA, okA := d.sha256(a)
	sumB, okB := d.sha256(b)
	if okA && okB {
		return bytes.Compare(sumA[:], sumB[:])
	}
	return strings.Compare(string(d.digest(a)), string(d.digest(b)))
}
