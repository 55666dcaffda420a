package mutate

// A pairing says which elements of two lists stand for each other, by their places; -1
// is none.
type pairing struct{ from, to int }

// pairLists pairs the elements of two lists in order. Each element has several keys, the
// strictest first: what has an equal first key is paired, then in the gaps between what
// has an equal second one, and so on; an empty key is equal to none. What is left in a
// gap is paired by place, and the rest stays alone.
func pairLists(from, to [][]string) []pairing {
	p := pairer{from: from, to: to}
	for _, list := range [][][]string{from, to} {
		for _, keys := range list {
			p.levels = max(p.levels, len(keys))
		}
	}
	p.gap(0, len(from), 0, len(to), 0)
	return p.pairs
}

type pairer struct {
	from, to [][]string
	levels   int
	pairs    []pairing
}

// gap pairs from[a:b] with to[c:d].
func (p *pairer) gap(a, b, c, d, level int) {
	if level == p.levels {
		for ; a < b && c < d; a, c = a+1, c+1 {
			p.pairs = append(p.pairs, pairing{a, c})
		}
		for ; a < b; a++ {
			p.pairs = append(p.pairs, pairing{a, -1})
		}
		for ; c < d; c++ {
			p.pairs = append(p.pairs, pairing{-1, c})
		}
		return
	}
	for _, m := range p.common(a, b, c, d, level) {
		p.gap(a, m.from, c, m.to, level+1)
		p.pairs = append(p.pairs, m)
		a, c = m.from+1, m.to+1
	}
	p.gap(a, b, c, d, level+1)
}

// maxPairTable is the most cells of a table that is filled to find the longest common
// part; in larger gaps, which no image that runs has, only the ends are compared.
const maxPairTable = 1 << 22

// common finds the longest list of pairs with equal keys, in order.
func (p *pairer) common(a, b, c, d, level int) []pairing {
	same := func(i, j int) bool { return p.from[i][level] == p.to[j][level] && p.from[i][level] != "" }
	var head, tail []pairing
	for ; a < b && c < d && same(a, c); a, c = a+1, c+1 {
		head = append(head, pairing{a, c})
	}
	for ; a < b && c < d && same(b-1, d-1); b, d = b-1, d-1 {
		tail = append(tail, pairing{b - 1, d - 1})
	}
	rows, columns := b-a, d-c
	if rows > 0 && columns > 0 && rows <= maxPairTable/columns {
		head = append(head, longestCommon(a, b, c, d, same)...)
	}
	for i := len(tail) - 1; i >= 0; i-- {
		head = append(head, tail[i])
	}
	return head
}

func longestCommon(a, b, c, d int, same func(i, j int) bool) []pairing {
	columns := d - c + 1
	length := make([]int32, (b-a+1)*columns) // of the best pairs of from[i:b] and to[j:d]
	at := func(i, j int) int { return (i-a)*columns + j - c }
	for i := b - 1; i >= a; i-- {
		for j := d - 1; j >= c; j-- {
			if same(i, j) {
				length[at(i, j)] = length[at(i+1, j+1)] + 1
			} else {
				length[at(i, j)] = max(length[at(i+1, j)], length[at(i, j+1)])
			}
		}
	}
	var pairs []pairing
	for i, j := a, c; i < b && j < d; {
		switch {
		case same(i, j):
			pairs = append(pairs, pairing{i, j})
			i, j = i+1, j+1
		case length[at(i+1, j)] >= length[at(i, j+1)]:
			i++
		default:
			j++
		}
	}
	return pairs
}
