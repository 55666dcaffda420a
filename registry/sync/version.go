package sync

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A version is a tag read as regsync reads it: numbers with dots between, as many as
// there are, then a "-" and a suffix, then a "+" and what does not count. A "v" in
// front does not count either. (Libraries for semantic versions know three numbers
// alone, and leave out versions with suffixes, which would choose other tags.)
type version struct {
	numbers []int
	suffix  string
}

// parseVersion says false for a tag that is no version.
func parseVersion(tag string) (version, bool) {
	text, _, _ := strings.Cut(strings.TrimPrefix(tag, "v"), "+")
	text, suffix, _ := strings.Cut(text, "-")
	v := version{suffix: suffix}
	for number := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(number)
		if err != nil {
			return version{}, false
		}
		v.numbers = append(v.numbers, n)
	}
	return v, true
}

// number is the one at a place, 0 where there is none.
func (v version) number(i int) int {
	if i < len(v.numbers) {
		return v.numbers[i]
	}
	return 0
}

// compare orders versions. One with a suffix comes before the same one without.
func (v version) compare(w version) int {
	for i := range max(len(v.numbers), len(w.numbers)) {
		if c := cmp.Compare(v.number(i), w.number(i)); c != 0 {
			return c
		}
	}
	switch {
	case v.suffix == w.suffix:
		return 0
	case v.suffix == "":
		return 1
	case w.suffix == "":
		return -1
	}
	return slices.CompareFunc(strings.Split(v.suffix, "."), strings.Split(w.suffix, "."), compareParts)
}

// compareParts compares the parts of suffixes: texts by their bytes and the numbers in
// them by their value, so that rc2 comes before rc11.
func compareParts(a, b string) int {
	for a != "" && b != "" {
		textA, numberA, restA := splitPart(a)
		textB, numberB, restB := splitPart(b)
		if c := cmp.Compare(textA, textB); c != 0 {
			return c
		}
		if c := cmp.Compare(numberA, numberB); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return cmp.Compare(len(a), len(b))
}

// splitPart cuts a text off, and the number behind it; -1 if there is none.
func splitPart(s string) (text string, number int, rest string) {
	digit := func(c rune) bool { return '0' <= c && c <= '9' }
	i := strings.IndexFunc(s, digit)
	if i < 0 {
		return s, -1, ""
	}
	j := strings.IndexFunc(s[i:], func(c rune) bool { return !digit(c) })
	if j < 0 {
		j = len(s) - i
	}
	number, err := strconv.Atoi(s[i : i+j])
	if err != nil { // too large to be told apart
		number = int(^uint(0) >> 1)
	}
	return s[:i], number, s[i+j:]
}

// A versionRange holds for versions that fit all its bounds.
type versionRange []bound

type bound struct {
	op   string
	than version
}

// operators are those that can stand in front of a version; the longer ones first.
var operators = []string{">=", "<=", ">", "<", "=", "^", "~"}

// parseRange reads bounds with spaces between, such as ">=1.2 <2", "^1.4.2" (up to the
// next number before which there are only zeros) or "~1.4" (up to the next minor
// version). Without an operator it is that version alone.
func parseRange(text string) (versionRange, error) {
	var r versionRange
	for word := range strings.FieldsSeq(text) {
		op := "="
		for _, o := range operators {
			if rest, ok := strings.CutPrefix(word, o); ok {
				op, word = o, rest
				break
			}
		}
		v, ok := parseVersion(word)
		if !ok {
			return nil, content.Errorf(content.ErrInvalid, "%q is no range of versions: %q is no version", text, word)
		}
		switch op {
		case "^":
			r = append(r, bound{">=", v}, bound{"<", v.afterCaret()})
		case "~":
			r = append(r, bound{">=", v}, bound{"<", version{numbers: []int{v.number(0), v.number(1) + 1}}})
		default:
			r = append(r, bound{op, v})
		}
	}
	if len(r) == 0 {
		return nil, content.Errorf(content.ErrInvalid, "a range of versions is empty")
	}
	return r, nil
}

// afterCaret is the first version that "^v" leaves out.
func (v version) afterCaret() version {
	switch {
	case v.number(0) > 0:
		return version{numbers: []int{v.number(0) + 1}}
	case v.number(1) > 0:
		return version{numbers: []int{0, v.number(1) + 1}}
	}
	return version{numbers: []int{0, 0, v.number(2) + 1}}
}

// has says whether v fits every bound.
func (r versionRange) has(v version) bool {
	return !slices.ContainsFunc(r, func(b bound) bool {
		c := v.compare(b.than)
		switch b.op {
		case ">=":
			return c < 0
		case "<=":
			return c > 0
		case ">":
			return c <= 0
		case "<":
			return c >= 0
		}
		return c != 0
	})
}
