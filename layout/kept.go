package layout

import "iter"

// kept holds the bytes of the first entries that a filter let through, so that they
// are not read again. Its pieces never move.
type kept struct {
	pieces [][]byte // full up to their lengths
	size   int
}

const (
	maxKept   = 8 << 20
	keptPiece = 64 << 10
)

// add keeps a copy of the next entry, unless it is one too many.
func (k *kept) add(raw []byte) {
	if k.size += len(raw); k.size > maxKept {
		return
	}
	last := len(k.pieces) - 1
	if last < 0 || len(raw) > cap(k.pieces[last])-len(k.pieces[last]) {
		piece := min(keptPiece, 4<<10<<min(len(k.pieces), 8))
		k.pieces = append(k.pieces, make([]byte, 0, max(piece, len(raw))))
		last++
	}
	k.pieces[last] = append(k.pieces[last], raw...)
}

// entries yields the bytes of the spans, which must be all that were let through;
// nil for those that are not kept. They must not be changed.
func (k *kept) entries(spans *spans) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		piece, at, size := 0, 0, 0
		for i := range spans.len() {
			n := int(spans.at(i).len)
			var raw []byte
			if size += n; size <= maxKept {
				if at == len(k.pieces[piece]) {
					piece, at = piece+1, 0
				}
				raw = k.pieces[piece][at : at+n : at+n]
				at += n
			}
			if !yield(i, raw) {
				return
			}
		}
	}
}
