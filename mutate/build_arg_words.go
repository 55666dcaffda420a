package mutate

import (
	"strconv"
	"strings"
)

// mostShell is how long the shell may be that classic docker writes before "#(nop)".
const mostShell = 256

// cutPrefixes parts what classic docker and podman put in front of an instruction that
// runs nothing, such as "/bin/sh -c #(nop) ", from the instruction.
func cutPrefixes(text string) (prefix, instruction string) {
	shell, _, ok := strings.Cut(text[:min(len(text), mostShell)], "#(nop)")
	if !ok {
		return "", text
	}
	words := strings.Fields(shell)
	rest := text[len(shell)+len("#(nop)"):]
	instruction = strings.TrimLeft(rest, " \t")
	if len(words) < 2 || instruction == rest || !strings.HasSuffix(shell, " ") || !strings.HasPrefix(words[len(words)-1], "-") && !strings.HasPrefix(words[len(words)-1], "/") {
		return "", text
	}
	return text[:len(text)-len(instruction)], instruction
}

// cutCount reads how the text of a command begins that was given arguments: "|2 ", with
// BuildKit "RUN |2 ".
func cutCount(text string) (run string, count int, rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, "RUN ")
	if ok {
		run = "RUN "
	}
	if rest, ok = strings.CutPrefix(rest, "|"); !ok {
		return "", 0, "", false
	}
	digits, rest, ok := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(digits, 10, 16)
	return run, int(n), rest, ok && err == nil && n > 0
}

// argName is the name of the argument with which text begins, before "="; "" if it
// begins with none.
func argName(text string) string {
	if n := nameLength(text); n > 0 && n < len(text) && text[n] == '=' {
		return text[:n]
	}
	return ""
}

// isArgName says whether a word is the name of an argument.
func isArgName(word string) bool { return word != "" && nameLength(word) == len(word) }

// nameLength is how long the name is with which text begins.
func nameLength(text string) int {
	for i := range len(text) {
		switch b := text[i]; {
		case 'a' <= b|0x20 && b|0x20 <= 'z' || b == '_':
		case i > 0 && ('0' <= b && b <= '9' || b == '.' || b == '-'):
		default:
			return i
		}
	}
	return len(text)
}
