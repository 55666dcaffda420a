package mutate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A buildArg is one argument in a text of history, and where in it.
type buildArg struct {
	name, value string
	bare        bool // declared without a value
	start, end  int
}

var (
	argName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	argStart = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*=`)
	// nop is how classic docker begins the text of what runs nothing: a shell before it.
	nop = regexp.MustCompile(`^\S.{0,200}#\(nop\)\s+`)
	// passed is how the text of a command begins that was given arguments, by BuildKit
	// and by classic docker.
	passed = regexp.MustCompile(`^((?:RUN )?)\|([0-9]{1,4}) `)
)

// cutPrefixes parts what classic docker puts in front of an instruction from it.
func cutPrefixes(text string) (prefix, instruction string) {
	n := len(nop.FindString(text))
	return text[:n], text[n:]
}

// An argScan takes build arguments out of the texts of one image's history, the first
// one first.
type argScan struct {
	edit     RemoveBuildArgs
	shells   []string
	declared map[string]bool // names of ARG so far
	found    int
	values   []string // that were taken out
}

// text is what is left of a text; "" if nothing is left but the word ARG.
func (s *argScan) text(text string) (string, error) {
	prefix, instruction := cutPrefixes(text)
	if args, ok := strings.CutPrefix(instruction, "ARG "); ok {
		left := s.declaration(args)
		if left == strings.TrimRight(args, " ") {
			return text, nil
		}
		if left == "" {
			return "", nil
		}
		return prefix + "ARG " + left, nil
	}
	if m := passed.FindStringSubmatch(text); m != nil {
		return s.command(text, m)
	}
	return text, nil
}

// declaration takes arguments out of what stands behind ARG. A word without "=" that
// follows a value may be part of it, and whatever follows a value of several lines:
// they are taken so, and rather another declaration goes than half a secret stays.
func (s *argScan) declaration(text string) string {
	var args []buildArg
	lines := false // in the last value
	for pos := 0; pos < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[pos:], ' '); i >= 0 {
			end = pos + i
		}
		word := text[pos:end]
		switch last := len(args) - 1; {
		case argStart.MatchString(word) && !lines:
			args = append(args, newBuildArg(word, pos, end))
		case argName.MatchString(word) && (last < 0 || args[last].bare):
			args = append(args, buildArg{name: word, bare: true, start: pos, end: end})
		case last >= 0:
			args[last].end = end
			args[last].value = text[args[last].start+len(args[last].name)+1 : end]
		}
		lines = lines || strings.Contains(word, "\n")
		pos = end + 1
	}
	if s.declared == nil {
		s.declared = map[string]bool{}
	}
	for _, a := range args {
		s.declared[a.name] = true
	}
	left, _ := s.without(text, args)
	return strings.TrimRight(left, " ")
}

func newBuildArg(text string, start, end int) buildArg {
	name, value, _ := strings.Cut(text, "=")
	return buildArg{name: name, value: value, start: start, end: end}
}

// without is text without those of its arguments that are to go, and their number.
func (s *argScan) without(text string, args []buildArg) (rest string, gone int) {
	var left []string
	at := 0
	for _, a := range args {
		if !s.edit.fits(a) {
			continue
		}
		gone++
		if !a.bare {
			s.values = append(s.values, a.value)
		}
		left = append(left, text[at:a.start])
		at = min(a.end+1, len(text))
	}
	s.found += gone
	return strings.Join(append(left, text[at:]), ""), gone
}

// command takes arguments out of the front of a command.
func (s *argScan) command(text string, m []string) (string, error) {
	count, err := strconv.Atoi(m[2])
	if err != nil || count == 0 {
		return text, nil
	}
	rest := text[len(m[0]):]
	args, err := s.passed(rest, count)
	if err != nil {
		return "", err
	}
	left, gone := s.without(rest, args)
	switch {
	case gone == 0:
		return text, nil
	case gone == count:
		return m[1] + left, nil
	}
	return fmt.Sprintf("%s|%d %s", m[1], count-gone, left), nil
}

// passed finds the arguments of a command. Their values are not quoted, so that one
// with spaces is told from what follows by the names that were declared, and the last
// one by the shell that runs the command.
func (s *argScan) passed(text string, count int) ([]buildArg, error) {
	if s.edit.Pattern == nil && s.edit.Value != nil {
		return s.literal(text), nil
	}
	starts := s.starts(text, count, func(name string) bool { return s.declared[name] || name == s.edit.Name })
	if len(starts) < count {
		starts = s.starts(text, count, func(string) bool { return true })
	}
	var args []buildArg
	for i, start := range starts {
		end := -1
		if i+1 < len(starts) {
			end = starts[i+1] - 1
		} else if end = s.shell(text, start); end < 0 {
			return args, s.unclear(text, start)
		}
		args = append(args, newBuildArg(text[start:end], start, end))
	}
	return args, nil
}

// literal finds the argument whose value is known.
func (s *argScan) literal(text string) []buildArg {
	want := s.edit.Name + "=" + *s.edit.Value
	for at := 0; ; {
		i := strings.Index(text[at:], want+" ")
		if i < 0 {
			return nil
		}
		if i += at; i == 0 || text[i-1] == ' ' {
			return []buildArg{newBuildArg(want, i, i+len(want))}
		}
		at = i + 1
	}
}

// starts finds where count arguments begin: the first one at once, and every other one
// behind a space with a name that is known.
func (s *argScan) starts(text string, count int, known func(name string) bool) []int {
	var starts []int
	for pos := 0; pos < len(text) && len(starts) < count; {
		word := argStart.FindString(text[pos:])
		if word == "" && pos == 0 {
			return nil
		}
		if word != "" && (pos == 0 || known(strings.TrimSuffix(word, "="))) {
			starts = append(starts, pos)
		}
		next := strings.IndexByte(text[pos:], ' ')
		if next < 0 {
			break
		}
		pos += next + 1
	}
	return starts
}

// shell finds where the argument that begins at start ends: before the first shell, or
// -1.
func (s *argScan) shell(text string, start int) int {
	end := -1
	for _, shell := range s.shells {
		if i := strings.Index(text[start:], " "+shell); i >= 0 && (end < 0 || start+i < end) {
			end = start + i
		}
	}
	return end
}

// mostEnds is at how many words the value of an argument is taken to end, where that is
// not clear.
const mostEnds = 256

// unclear is an error if the argument that begins at start is meant, wherever it may
// end.
func (s *argScan) unclear(text string, start int) error {
	name := strings.TrimSuffix(argStart.FindString(text[start:]), "=")
	if s.edit.Pattern == nil && name != s.edit.Name {
		return nil
	}
	ends := 0
	for end := start; end <= len(text); end++ {
		if end < len(text) && text[end] != ' ' {
			continue
		}
		a := newBuildArg(text[start:end], start, end)
		if ends++; ends > mostEnds || s.edit.fits(a) {
			return fmt.Errorf("%s: where its value ends is not clear: name it with its value", name)
		}
	}
	return nil
}
