package layout

// kept holds the bytes of the first entries that a filter let through, so that they
// are not read again. Its pieces never move.
type kept struct {
	list [][]byte // by number of the entry
	free []byte
	size int
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
	if len(raw) > len(k.free) {
		k.free = make([]byte, max(keptPiece, len(raw)))
	}
	n := copy(k.free, raw)
	k.list = append(k.list, k.free[:n:n])
	k.free = k.free[n:]
}

// raw is the bytes of entry i, which must not be changed; nil if it is not kept.
func (k *kept) raw(i int) []byte {
	if i < len(k.list) {
		return k.list[i]
	}
	return nil
}
