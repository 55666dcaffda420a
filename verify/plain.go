package verify

import (
	"bytes"
	"unicode/utf8"
)

// plainKeys says that no key anywhere in data, which is valid JSON, can be one of
// those that oddSpelling looks for. It is a quick pass over what leaves no doubt, as
// nearly everything does: no escapes and nothing beyond ASCII in a key, and none of
// spellings in another case.
func plainKeys(data []byte) bool {
	for {
		start := bytes.IndexByte(data, '"')
		if start < 0 {
			return true
		}
		data = data[start+1:]
		end := stringEnd(data)
		if end < 0 {
			return false
		}
		text := data[:end]
		data = data[end+1:]
		if isKey(data) && !plainKey(text) {
			return false
		}
	}
}

// stringEnd is where the string at the start of b ends.
func stringEnd(b []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		slashes := 0
		for slashes < i && b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
}

// isKey says whether the string before b is a key.
func isKey(b []byte) bool {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == ':'
		}
	}
	return false
}

func plainKey(key []byte) bool {
	for _, c := range key {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	if len(key) > longestSpelling {
		return true
	}
	for _, known := range spellingsOf[len(key)] {
		if bytes.EqualFold(key, []byte(known)) {
			return string(key) == known
		}
	}
	return true
}

// longestSpelling is the length of the longest of spellings.
const longestSpelling = len("schemaVersion")

// spellingsOf are the spellings, and "config", by their length.
var spellingsOf = func() (byLength [longestSpelling + 1][]string) {
	for _, known := range spellings {
		byLength[len(known)] = append(byLength[len(known)], known)
	}
	byLength[len("config")] = append(byLength[len("config")], "config")
	return byLength
}()
