package ingest

import (
	"encoding/json"
	"iter"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// entries are those of an index.json. Their bytes are kept, and decoded each time:
// decoded ones take five times the memory, which of very many is most of all there is.
type entries struct {
	raws []json.RawMessage
	room []byte // what is left of the piece that holds the last ones
}

// pieceSize is the unit in which memory for entries is asked for.
const pieceSize = 64 << 10

// add appends an entry, whose bytes are copied.
func (l *entries) add(e layout.Entry) { l.raws = append(l.raws, l.keep(e.Raw)) }

// set puts e in the place of entry i.
func (l *entries) set(i int, e layout.Entry) { l.raws[i] = l.keep(e.Raw) }

func (l *entries) keep(raw json.RawMessage) json.RawMessage {
	if len(raw) > len(l.room) {
		l.room = make([]byte, max(pieceSize, len(raw)))
	}
	n := copy(l.room, raw)
	kept := l.room[:n:n]
	l.room = l.room[n:]
	return kept
}

// at decodes entry i.
func (l *entries) at(i int) layout.Entry { return decode(l.raws[i]) }

// all decodes one entry after the other.
func (l *entries) all() iter.Seq2[int, layout.Entry] {
	return func(yield func(int, layout.Entry) bool) {
		for i := range l.raws {
			if !yield(i, l.at(i)) {
				return
			}
		}
	}
}

// decode reads the bytes of an entry, which were one before.
func decode(raw json.RawMessage) layout.Entry {
	e, err := layout.ParseEntry(raw)
	if err != nil {
		panic(err)
	}
	return e
}

// A root is what gets an entry in index.json, or a place on a list of referrers.
type root struct {
	name      string           // "" for none
	raw       json.RawMessage  // the entry
	subject   content.Digest   // if not "", the entry belongs on the list of its referrers
	listed    []content.Digest // of an entry that is such a list, what it lists
	asIs      bool             // the entry comes from an index.json
	cosignTag bool             // its name is one that cosign made for what belongs to an image
	extra     bool             // the entry says more than a list of referrers can
	gone      bool             // another root has its name
}

// entry decodes the root's entry.
func (r root) entry() layout.Entry { return decode(r.raw) }
