package mutate

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestPairLists: every element is in one pair, pairs are in order, equal first keys are
// paired before anything else, and large lists do not need a large table.
func TestPairLists(t *testing.T) {
	keys := func(words ...string) [][]string {
		var list [][]string
		for _, w := range words {
			list = append(list, []string{w, w[:1]})
		}
		return list
	}
	for _, test := range []struct {
		from, to [][]string
		want     []pairing
	}{
		{nil, nil, nil},
		{keys("a1", "b1"), keys("a1", "b1"), []pairing{{0, 0}, {1, 1}}},
		{keys("a1", "b1", "c1"), keys("a1", "x1", "b2", "c1"), []pairing{{0, 0}, {-1, 1}, {1, 2}, {2, 3}}},
		{keys("a1", "b1"), keys("b1"), []pairing{{0, -1}, {1, 0}}},
		{keys("a1"), keys("x1", "y1"), []pairing{{0, 0}, {-1, 1}}},
		{keys("a1", "b1"), keys("b1", "a1"), []pairing{{0, -1}, {1, 0}, {-1, 1}}},
		{[][]string{{"", ""}}, [][]string{{"", ""}, {"", ""}}, []pairing{{0, 0}, {-1, 1}}},
	} {
		got := pairLists(test.from, test.to)
		if len(got) != len(test.want) {
			t.Errorf("%v and %v: %v, want %v", test.from, test.to, got, test.want)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("%v and %v: %v, want %v", test.from, test.to, got, test.want)
				break
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		lists := make([][][]string, 2)
		for i := range lists {
			for range random.IntN(30) {
				lists[i] = append(lists[i], []string{strconv.Itoa(random.IntN(12)), strconv.Itoa(random.IntN(3))})
			}
		}
		checkPairs(t, pairLists(lists[0], lists[1]), len(lists[0]), len(lists[1]))
	}
	large := make([][]string, 100_000)
	for i := range large {
		large[i] = []string{strconv.Itoa(i)}
	}
	checkPairs(t, pairLists(large, append(large[1:len(large):len(large)], large[0])), len(large), len(large))
}

func checkPairs(t *testing.T, pairs []pairing, from, to int) {
	t.Helper()
	a, b := 0, 0
	for _, p := range pairs {
		if p.from >= 0 && p.from != a || p.to >= 0 && p.to != b || p.from < 0 && p.to < 0 {
			t.Fatalf("pair %v where %d and %d come next", p, a, b)
		}
		if p.from >= 0 {
			a++
		}
		if p.to >= 0 {
			b++
		}
	}
	if a != from || b != to {
		t.Fatalf("%d and %d paired of %d and %d", a, b, from, to)
	}
}
