package render

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape returns s with everything that is not printable (control characters,
// line ends, bidirectional marks, bytes that are not UTF-8) as Go would write it
// in a string literal, so that no text from a layout can steer a terminal.
func Escape(s string) string {
	return escape(s, "")
}

// escape is Escape that lets the runes of keep through.
func escape(s, keep string) string {
	if printableASCII(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x`)
			b.WriteString(hexByte(s[0]))
		case unicode.IsPrint(r) || strings.ContainsRune(keep, r):
			b.WriteString(s[:n])
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}

func printableASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func hexByte(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// escapeJSON returns JSON text with every rune that is not printable as \uXXXX.
// encoding/json leaves DEL, the C1 controls and bidirectional marks as they are.
// Line ends and spaces outside of strings stay.
func escapeJSON(p []byte) []byte {
	if plainJSON(p) {
		return p
	}
	out := make([]byte, 0, len(p)+16)
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, p[:n]...)
		default:
			out = appendUnicode(out, r)
		}
		p = p[n:]
	}
	return out
}

func plainJSON(p []byte) bool {
	for _, c := range p {
		if c != '\n' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// appendUnicode appends r as JSON writes it in hexadecimal: one UTF-16 unit, or
// a pair of surrogates.
func appendUnicode(out []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		out = appendUnicode(out, 0xd800+r>>10)
		return appendUnicode(out, 0xdc00+r&0x3ff)
	}
	return append(append(append(out, `\u`...), hexByte(byte(r>>8))...), hexByte(byte(r))...)
}
