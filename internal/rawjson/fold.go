package rawjson

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold is key in the one spelling that stands for every spelling which a reader
// that ignores case takes for it. Such readers fold as Unicode does and not by
// lower case alone: to encoding/json "manifeſts" is "manifests". ASCII letters
// fold to lower case, so that a key in lower case is its own fold.
func Fold(key string) string {
	for i := 0; i < len(key); i++ {
		if c := key[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(foldRune, key)
		}
	}
	return key
}

// foldRune is the least of the characters that are r but for case.
func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
