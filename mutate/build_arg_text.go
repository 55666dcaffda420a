package mutate

import (
	"fmt"
	"slices"
	"strings"
)

// A buildArg is one argument in a text of history, and where in it.
type buildArg struct {
	name, value string
	bare        bool // declared without a value
	start, end  int
}

// An argScan takes build arguments out of the texts of one image's history, the first
// one first.
type argScan struct {
	edit     RemoveBuildArgs
	shells   []string
	declared map[string]bool     // names of ARG so far
	known    map[string][]string // values of arguments whose ends are clear
	found    int
	values   []string // that were taken out
}

func newArgScan(edit RemoveBuildArgs, shells []string) *argScan {
	return &argScan{edit: edit, shells: shells, declared: map[string]bool{}, known: map[string][]string{}}
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
	if run, count, rest, ok := cutCount(instruction); ok && prefix == "" {
		left, gone, err := s.command(run, count, rest)
		if err != nil || gone == 0 {
			return text, err
		}
		return left, nil
	}
	return text, nil
}

// declaration takes arguments out of what stands behind ARG.
func (s *argScan) declaration(text string) string {
	left, _ := s.without(text, s.words(text))
	return strings.TrimRight(left, " ")
}

// words finds the arguments behind ARG. A word without "=" that follows a value may be
// part of it, and whatever follows a value of several lines: they are taken so, and
// rather another declaration goes than half a secret stays.
func (s *argScan) words(text string) []buildArg {
	var args []buildArg
	lines := false // in the last value
	for pos := 0; pos < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[pos:], ' '); i >= 0 {
			end = pos + i
		}
		word := text[pos:end]
		switch last := len(args) - 1; {
		case argName(word) != "" && !lines:
			args = append(args, newBuildArg(word, pos, end))
		case isArgName(word) && (last < 0 || args[last].bare):
			args = append(args, buildArg{name: word, bare: true, start: pos, end: end})
		case last >= 0:
			args[last].end = end
			args[last].value = text[args[last].start+len(args[last].name)+1 : end]
		}
		lines = lines || strings.Contains(word, "\n")
		pos = end + 1
	}
	for _, a := range args {
		s.declared[a.name] = true
	}
	return args
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

// command takes arguments out of the front of a command. Docker and BuildKit write how
// many arguments there are, podman how many words they have.
func (s *argScan) command(run string, count int, rest string) (left string, gone int, err error) {
	front := s.split(rest, count)
	args := front.args
	if s.edit.Pattern == nil && s.edit.Value != nil {
		args = s.literal(rest)
	} else if err := s.unclear(rest, front.open); err != nil {
		return "", 0, err
	}
	left, gone = s.without(rest, args)
	if front.words {
		gone = strings.Count(rest, " ") - strings.Count(left, " ")
	}
	if gone >= count {
		return run + left, gone, nil
	}
	return fmt.Sprintf("%s|%d %s", run, count-gone, left), gone, nil
}

// A front is what stands before a command.
type front struct {
	args  []buildArg // whose ends are clear
	open  []int      // where others begin
	words bool       // their number is that of words
}

// split finds the arguments of a command. Their values are not quoted: one with spaces is
// told from what follows by the names that were declared, and the last one by the shell
// that runs the command, or by a value that is known. Where that leaves a choice no
// argument is clear.
func (s *argScan) split(text string, count int) front {
	named := func(name string) bool { return s.declared[name] || name == s.edit.Name }
	every := func(string) bool { return true }
	end := s.shell(text)
	if end < 0 {
		starts := s.starts(text, named)
		if len(starts) < count {
			return front{open: s.starts(text, every)}
		}
		last := starts[count-1]
		f := front{args: cutArgs(text, starts[:count-1], max(last-1, 0))}
		if end = s.knownEnd(text, last); end < 0 {
			f.open = []int{last}
		} else {
			f.args = append(f.args, newBuildArg(text[last:end], last, end))
		}
		return f
	}
	starts, all := s.starts(text[:end], named), s.starts(text[:end], every)
	declared := s.starts(text[:end], func(name string) bool { return s.declared[name] })
	switch {
	case len(starts) == count:
		return front{args: cutArgs(text, starts, end)}
	case len(declared) > 0 && len(declared) < count && strings.Count(text[:end], " ")+1 == count:
		if len(all) == count {
			break // each word may be an argument, or part of the one before
		}
		return front{args: cutArgs(text, declared, end), words: true}
	case len(all) == count:
		return front{args: cutArgs(text, all, end)}
	}
	return front{open: all}
}

// cutArgs makes arguments of where they begin, each of which ends before the next one.
func cutArgs(text string, starts []int, end int) []buildArg {
	var args []buildArg
	for i, start := range starts {
		stop := end
		if i+1 < len(starts) {
			stop = starts[i+1] - 1
		}
		args = append(args, newBuildArg(text[start:stop], start, stop))
	}
	return args
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

// starts finds where arguments with names that fit begin: the first one at once, and
// every other one behind a space. If the first does not fit there are none.
func (s *argScan) starts(text string, fits func(name string) bool) []int {
	var starts []int
	for pos := 0; pos < len(text); {
		if name := argName(text[pos:]); name != "" && fits(name) {
			starts = append(starts, pos)
		}
		next := strings.IndexByte(text[pos:], ' ')
		if next < 0 || len(starts) == 0 {
			break
		}
		pos += next + 1
	}
	return starts
}

// shell finds where a command begins that a shell runs, without the space before it; -1
// if there is none.
func (s *argScan) shell(text string) int {
	end := -1
	for _, shell := range s.shells {
		if i := strings.Index(text, " "+shell+" "); i >= 0 && (end < 0 || i < end) {
			end = i
		}
	}
	return end
}

// mostValues is how many values of one argument are remembered.
const mostValues = 32

// learn remembers the values that a text tells, for other texts where their ends are not
// clear.
func (s *argScan) learn(text string) {
	if _, count, rest, ok := cutCount(text); ok {
		for _, a := range s.split(rest, count).args {
			s.remember(a)
		}
		return
	}
	_, instruction := cutPrefixes(text)
	if args, ok := strings.CutPrefix(instruction, "ARG "); ok {
		for _, a := range s.words(args) {
			s.remember(a)
		}
	}
}

func (s *argScan) remember(a buildArg) {
	if have := s.known[a.name]; !a.bare && a.value != "" && len(have) < mostValues && !slices.Contains(have, a.value) {
		s.known[a.name] = append(have, a.value)
	}
}

// knownEnd finds where the argument that begins at start ends if its value is one that
// is known, the longest of them: -1 if not.
func (s *argScan) knownEnd(text string, start int) int {
	name := argName(text[start:])
	end := -1
	for _, value := range s.known[name] {
		if at := start + len(name) + 1 + len(value); strings.HasPrefix(text[start:], name+"="+value+" ") {
			end = max(end, at)
		}
	}
	return end
}

// mostTries is at how many places the value of an argument is taken to begin or end,
// where that is not clear.
const mostTries = 256

// unclear is an error if one of the arguments that begin at open is meant, wherever it
// may end.
func (s *argScan) unclear(text string, open []int) error {
	tries := 0
	for _, start := range open {
		name := argName(text[start:])
		if s.edit.Pattern == nil && name != s.edit.Name {
			continue
		}
		for end := start; end <= len(text); end++ {
			if end < len(text) && text[end] != ' ' {
				continue
			}
			if tries++; tries > mostTries || s.edit.fits(newBuildArg(text[start:end], start, end)) {
				return fmt.Errorf("%s: where its value ends is not clear: name it with its value", name)
			}
		}
	}
	return nil
}
