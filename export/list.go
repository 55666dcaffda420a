package export

// pageSize is how many elements of a list lie together.
const pageSize = 1024

// A list grows without being copied, so that what it holds is in memory once, and
// stays where it is. The zero value is empty.
type list[T any] struct {
	pages []*[pageSize]T
	n     int
}

func (l *list[T]) len() int { return l.n }

// at is element i, which must be there.
func (l *list[T]) at(i int) *T { return &l.pages[i/pageSize][i%pageSize] }

func (l *list[T]) add(v T) {
	if l.n == len(l.pages)*pageSize {
		l.pages = append(l.pages, new([pageSize]T))
	}
	l.n++
	*l.at(l.n - 1) = v
}
