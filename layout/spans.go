package layout

// spans is a list of spans that grows without being copied.
type spans struct {
	pieces [][]span // all but the last are full
	n      int
}

// spanPiece is how many spans a piece has: 96 KiB.
const spanPiece = 4096

func (s *spans) add(sp span) {
	switch {
	case s.n == 0:
		s.pieces = make([][]span, 1) // few spans need no whole piece
	case s.n%spanPiece == 0:
		s.pieces = append(s.pieces, make([]span, 0, spanPiece))
	}
	last := &s.pieces[len(s.pieces)-1]
	*last = append(*last, sp)
	s.n++
}

func (s *spans) at(i int) *span { return &s.pieces[i/spanPiece][i%spanPiece] }

func (s *spans) len() int { return s.n }
