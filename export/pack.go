package export

import (
	"bytes"
	"encoding/binary"
)

// Entries of an index say the same few words, and digests. While there are very many
// of them they are held packed: control characters, which JSON has only in the form
// of escapes, stand for texts between quotes, and the number of the text follows.
const (
	packedDigest = 1
	packedWord   = 2
)

// pack appends the JSON of an entry to what is packed.
func (x *entries) pack(raw []byte) {
	for len(raw) > 0 {
		open := bytes.IndexByte(raw, '"')
		if open < 0 {
			break
		}
		n := endOfText(raw[open+1:])
		text, rest := raw[open+1:open+1+n], raw[min(open+n+2, len(raw)):]
		x.literal(raw[:open])
		switch sum, ok := parseSHA256(text); {
		case ok:
			x.number(packedDigest, uint64(x.idOf(&sum)))
		case len(rest) > 0 && rest[0] == ':' || bytes.HasPrefix(text, []byte("application/")):
			x.number(packedWord, uint64(x.words.idOf(text)))
		default:
			x.literal(raw[open:min(open+n+2, len(raw))])
		}
		raw = rest
	}
	x.literal(raw)
}

// endOfText is the length of the text of a JSON string, up to its closing quote.
func endOfText(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(b)
}

func (x *entries) literal(b []byte) {
	for _, c := range b {
		x.packed.add(c)
	}
}

func (x *entries) number(mark byte, n uint64) {
	var room [1 + binary.MaxVarintLen64]byte
	room[0] = mark
	x.literal(room[:1+binary.PutUvarint(room[1:], n)])
}

// appendRaw appends the JSON of an entry to b.
func (x *entries) appendRaw(b []byte, e entry) []byte {
	from := int(e.packed.off)
	for i := from; i < from+int(e.packed.len); {
		c := *x.packed.at(i)
		i++
		if c != packedDigest && c != packedWord {
			b = append(b, c)
			continue
		}
		var n uint64
		for shift := 0; ; shift += 7 {
			digit := *x.packed.at(i)
			i++
			n |= uint64(digit&0x7f) << shift
			if digit < 0x80 {
				break
			}
		}
		b = append(b, '"')
		if c == packedDigest {
			b = x.appendTo(b, digestID(n))
		} else {
			b = append(b, x.words.text(wordID(n))...)
		}
		b = append(b, '"')
	}
	return b
}
