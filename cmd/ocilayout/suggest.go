package main

import (
	"strconv"
	"strings"
)

func quote(word string) string { return strconv.Quote(word) }

// didYouMean returns a question about the known word that is nearest to word, or
// nothing if none is near.
func didYouMean[V any](word string, known map[string]V) string {
	best, least := "", 3
	for candidate := range known {
		d := distance(word, candidate)
		if d < least || d == least && best != "" && candidate < best {
			best, least = candidate, d
		}
	}
	// Of a short word every other letter would be another.
	if best == "" || least > (len(strings.Trim(word, "-"))+1)/3 {
		return ""
	}
	return ": did you mean " + best + "?"
}

// distance counts the single-byte edits between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
