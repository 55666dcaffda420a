package layout

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// write writes the changed index.json to w: the bytes of the old one, with the
// entries that changed cut out and put in. Everything else keeps its bytes: fields
// that nobody here knows, entries of other tools, the space between them.
func (tx *Tx) write(w io.Writer) error {
	out := splicer{w: bufio.NewWriterSize(w, 64<<10), x: tx.base}
	if tx.base.open < 0 {
		out.newArray(tx)
	} else {
		out.array(tx)
	}
	out.copy(tx.base.end, tx.base.tail)
	for _, f := range tx.fields {
		out.field(f)
	}
	out.copy(tx.base.tail, tx.base.size)
	out.flush()
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

// splicer writes an index.json from the pieces of another.
type splicer struct {
	w       *bufio.Writer
	x       *Index
	err     error
	from    int64 // piece of the old file that is not written yet
	to      int64
	written int // entries so far
	sep     string
	last    int // span written last, for the bytes between it and the next; -1 if another
}

// copy writes old bytes; pieces that touch become one.
func (s *splicer) copy(from, to int64) {
	if from == s.to {
		s.to = to
		return
	}
	s.flush()
	s.from, s.to = from, to
}

func (s *splicer) flush() {
	if s.err == nil && s.to > s.from {
		_, s.err = io.Copy(s.w, io.NewSectionReader(s.x.src, s.from, s.to-s.from))
	}
	s.from, s.to = 0, 0
}

func (s *splicer) bytes(b []byte) {
	s.flush()
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
}

func (s *splicer) text(b string) {
	s.flush()
	if s.err == nil {
		_, s.err = s.w.WriteString(b)
	}
}

// array writes the file up to the end of the old array.
func (s *splicer) array(tx *Tx) {
	x := s.x
	first := x.end
	if x.spans.len() > 0 {
		first = x.spans.at(0).off
	}
	s.copy(0, first) // with the space behind the bracket
	s.sep, s.last = s.separator(), -1
	next := tx.additions()
	add := func(after int) {
		for _, a := range next(after) {
			s.entry(-1, func() { s.bytes(a.raw) })
		}
	}
	add(-1)
	from := 0 // what follows is as it was
	for _, i := range tx.changes() {
		s.run(from, i)
		if c, ok := tx.replaced[i]; ok {
			s.entry(i, func() { s.bytes(c.raw) })
		} else if !tx.removed[i] {
			s.run(i, i+1)
		}
		add(i)
		from = i + 1
	}
	s.run(from, x.spans.len())
	if n := x.spans.len(); n > 0 {
		s.copy(x.spans.at(n-1).end(), x.end) // the space before the bracket
	}
}

// changes lists the spans that go, that become another entry, and that new entries
// stand behind, sorted.
func (tx *Tx) changes() []int {
	list := slices.Concat(keys(tx.removed), keys(tx.replaced))
	for _, a := range tx.added {
		if a.after >= 0 {
			list = append(list, a.after)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// run writes the entries of spans that are neighbours as they were.
func (s *splicer) run(from, to int) {
	if from == to {
		return
	}
	first, last := s.x.spans.at(from), s.x.spans.at(to-1)
	s.entry(from, func() { s.copy(first.off, last.end()) })
	s.written += to - from - 1
	s.last = to - 1
}

func (sp *span) end() int64 { return sp.off + int64(sp.len) }

// entry writes one entry behind what separates it from the one before: the old
// bytes if they were neighbours before.
func (s *splicer) entry(i int, write func()) {
	switch {
	case s.written == 0:
	case i > 0 && s.last == i-1:
		s.copy(s.x.spans.at(i-1).end(), s.x.spans.at(i).off)
	default:
		s.text(s.sep)
	}
	write()
	s.written++
	s.last = i
	if i < 0 {
		s.last = -2
	}
}

// field writes a member behind others, of which there is one at least.
func (s *splicer) field(f indexField) {
	key, err := rawjson.Marshal(f.key)
	s.err = errors.Join(s.err, err)
	s.text("," + string(key) + ":" + string(f.raw))
}

// separator is what stands between two entries: as the file has it between its
// first two, or after its first bracket.
func (s *splicer) separator() string {
	x := s.x
	if x.spans.len() == 0 {
		return ","
	}
	from, to := x.open+1, x.spans.at(0).off
	if x.spans.len() > 1 {
		from, to = x.spans.at(0).end(), x.spans.at(1).off
	}
	if to-from > 256 {
		return ","
	}
	b := make([]byte, to-from)
	if _, err := x.src.ReadAt(b, from); err != nil {
		s.err = err
	}
	return "," + strings.ReplaceAll(string(b), ",", "")
}

// newArray writes a file that has no array of manifests, up to where the old bytes
// go on: behind a null, or before the last brace.
func (s *splicer) newArray(tx *Tx) {
	x := s.x
	var entries []string
	for _, a := range tx.additions()(-1) {
		entries = append(entries, string(a.raw))
	}
	array := "[" + strings.Join(entries, ",") + "]"
	if x.null[1] > 0 {
		s.copy(0, x.null[0])
		s.text(array)
		x.end = x.null[1]
		return
	}
	s.copy(0, x.tail)
	if !x.empty {
		s.text(",")
	}
	s.text(`"manifests":` + array)
	x.end = x.tail
}
