package mutate

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/ocilayout/ocilayout/internal/rawjson"
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

// FuzzConfigs: whatever two configs say, a config does not differ from itself, and one
// differs from the other if the other does from it.
func FuzzConfigs(f *testing.F) {
	f.Add([]byte(`{"config":{"Env":["A=1","B=2"],"Labels":{"a/b":"~"}},"history":[{"created_by":"x"}]}`), []byte(`{"config":{"Env":["B=2"],"Labels":null},"history":[{"created":"y"},{}]}`))
	f.Add([]byte(`{"config":null,"rootfs":{"diff_ids":[1]},"x":1e3}`), []byte(`{"config":[],"rootfs":"","x":1000.0}`))
	f.Add([]byte(`{"config":{"Env":["A","A=1","A=2"]},"history":{}}`), []byte(`{"config":{"Env":{}},"history":[null,1,"",[]]}`))
	f.Fuzz(func(t *testing.T, one, other []byte) {
		a, err := strictObject("", one)
		if err != nil {
			t.Skip()
		}
		b, err := strictObject("", other)
		if err != nil {
			t.Skip()
		}
		if paths := differing(t, a, a); len(paths) > 0 {
			t.Errorf("differs from itself at %v", paths)
		}
		if x, y := differing(t, a, b), differing(t, b, a); (len(x) == 0) != (len(y) == 0) {
			t.Errorf("differs at %v, and turned round at %v", x, y)
		}
	})
}

func differing(t *testing.T, a, b *rawjson.Object) []string {
	f := fieldFinder{kinds: configKinds}
	if err := f.config(a, b); err != nil {
		t.Fatalf("a config that was checked: %v", err)
	}
	var paths []string
	for _, x := range f.found {
		paths = append(paths, x.Path)
	}
	return paths
}

// FuzzGzipHeader: no header, however broken, is more than an error.
func FuzzGzipHeader(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x1c\x01\x00\x00\x00\x00\x03\x02\x00abname\x00comment\x00rest"))
	f.Add([]byte("\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\x03\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := gzipHeader(bufio.NewReader(bytes.NewReader(data)))
		if (err == nil) == (text == "") {
			t.Errorf("%q and %v", text, err)
		}
	})
}
