package catalog

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
)

// sorter sorts rows by key in bounded memory: what does not fit is written to a
// spill in sorted runs, which are merged in the end. Of rows with the same key the
// last one added may be any of them.
type sorter struct {
	spill *spill // nil keeps everything in memory
	count int
	arena []byte
	rows  []row
	runs  []run
}

// row is where a key and its value lie in the arena.
type row struct{ off, key, value uint32 }

type run struct{ off, size int64 }

// sorterSize is up to where rows stay in memory, in bytes.
const sorterSize = 2 << 20

func newSorter(s *spill) *sorter { return &sorter{spill: s} }

func (s *sorter) add(key, value []byte) error {
	if s.spill != nil && len(s.arena)+12*len(s.rows) > sorterSize || len(s.arena) > 1<<31 {
		if s.spill == nil {
			return errors.New("too many rows for memory")
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
	if s.spill != nil && len(s.arena) > sorterSize/16 && cap(s.arena) < sorterSize {
		s.arena = slices.Grow(s.arena, sorterSize-len(s.arena)) // once, not by and by
	}
	s.count++
	s.rows = append(s.rows, row{uint32(len(s.arena)), uint32(len(key)), uint32(len(value))})
	s.arena = append(append(s.arena, key...), value...)
	return nil
}

func (s *sorter) key(r row) []byte   { return s.arena[r.off : r.off+r.key] }
func (s *sorter) value(r row) []byte { return s.arena[r.off+r.key : r.off+r.key+r.value] }

func (s *sorter) sort() {
	slices.SortFunc(s.rows, func(a, b row) int {
		return cmp.Or(bytes.Compare(s.key(a), s.key(b)), cmp.Compare(a.off, b.off))
	})
}

// flush writes what is in memory as a run.
func (s *sorter) flush() error {
	s.sort()
	from := s.spill.size
	for _, r := range s.rows {
		if err := s.spill.write(s.key(r), s.value(r)); err != nil {
			return err
		}
	}
	if err := s.spill.w.Flush(); err != nil {
		return err
	}
	s.runs = append(s.runs, run{from, s.spill.size - from})
	s.rows, s.arena = s.rows[:0], s.arena[:0]
	return nil
}

// each calls fn with every row in order, each key once. The bytes are fn's until it
// returns.
func (s *sorter) each(fn func(key, value []byte) error) error {
	if len(s.runs) == 0 {
		s.sort()
		for i, r := range s.rows {
			if i > 0 && bytes.Equal(s.key(r), s.key(s.rows[i-1])) {
				continue
			}
			if err := fn(s.key(r), s.value(r)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	s.arena, s.rows = nil, nil
	return s.merge(fn)
}

func (s *sorter) merge(fn func(key, value []byte) error) error {
	var h runHeap
	for _, r := range s.runs {
		head := &runReader{r: bufio.NewReaderSize(io.NewSectionReader(s.spill.f, r.off, r.size), 32<<10)}
		ok, err := head.next()
		if err != nil {
			return err
		}
		if ok {
			h = append(h, head)
		}
	}
	heap.Init(&h)
	var last []byte
	for first := true; len(h) > 0; {
		head := h[0]
		if first || !bytes.Equal(head.key, last) {
			first = false
			last = append(last[:0], head.key...)
			if err := fn(head.key, head.value); err != nil {
				return err
			}
		}
		ok, err := head.next()
		if err != nil {
			return err
		}
		if ok {
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	return nil
}

// runReader reads a run back.
type runReader struct {
	r          *bufio.Reader
	key, value []byte
}

func (r *runReader) next() (bool, error) {
	n, err := binary.ReadUvarint(r.r)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m, err := binary.ReadUvarint(r.r)
	if err != nil {
		return false, err
	}
	r.key, r.value = slices.Grow(r.key[:0], int(n))[:n], slices.Grow(r.value[:0], int(m))[:m]
	if _, err := io.ReadFull(r.r, r.key); err != nil {
		return false, err
	}
	_, err = io.ReadFull(r.r, r.value)
	return err == nil, err
}

type runHeap []*runReader

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return bytes.Compare(h[i].key, h[j].key) < 0 }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*runReader)) }
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// spill is a scratch file that the sorters of one build share.
type spill struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

// newSpill makes the file path, which must not be there.
func newSpill(path string) (*spill, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &spill{f: f, w: bufio.NewWriterSize(f, 64<<10)}, nil
}

func (s *spill) write(key, value []byte) error {
	head := binary.AppendUvarint(make([]byte, 0, 2*binary.MaxVarintLen64), uint64(len(key)))
	head = binary.AppendUvarint(head, uint64(len(value)))
	for _, b := range [][]byte{head, key, value} {
		n, err := s.w.Write(b)
		s.size += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// remove ends the file.
func (s *spill) remove() error { return errors.Join(s.f.Close(), os.Remove(s.f.Name())) }
