package verify

// A room gives out the small values of which a check holds very many, from pieces
// that are allocated together. Nothing is given back.
type room struct {
	targets  []target
	verdicts []verdict
	claims   []claim
}

// pieceLen is how many values a piece has.
const pieceLen = 256

func (r *room) target() *target { return take(&r.targets) }

func (r *room) verdict() *verdict { return take(&r.verdicts) }

// claim is a list of one claim, which grows elsewhere.
func (r *room) claim(n claim) []claim {
	if len(r.claims) == 0 {
		r.claims = make([]claim, pieceLen)
	}
	list := r.claims[:1:1]
	r.claims = r.claims[1:]
	list[0] = n
	return list
}

// take takes one value of a piece.
func take[T any](piece *[]T) *T {
	if len(*piece) == 0 {
		*piece = make([]T, pieceLen)
	}
	first := &(*piece)[0]
	*piece = (*piece)[1:]
	return first
}
