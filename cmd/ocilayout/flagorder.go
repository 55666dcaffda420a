package main

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagSet has the names of flags, long and short, and whether each takes a value.
type flagSet map[string]bool

func spellings(flags []cli.Flag) flagSet {
	set := flagSet{}
	for _, f := range flags {
		doc, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			set[name] = ok && doc.TakesValue()
		}
	}
	return set
}

func commandFlags(table []*command) map[string]flagSet {
	sets := make(map[string]flagSet, len(table))
	for _, c := range table {
		sets[c.name] = spellings(c.flags)
	}
	return sets
}

// arrange puts args, in which flags may stand before and after positional
// arguments, into the order that the parser wants: global flags, the command, its
// flags, "--", positional arguments. Flags keep their order, and values are
// joined to their flags by "=".
//
// A lone "-" is a positional argument, and so is "-:" with a media type; "--" ends
// the flags. Only global flags can be told before the command is known. A flag or
// command that does not exist, and a flag whose value is missing, is a usageError.
func arrange(args []string, global flagSet, commands map[string]flagSet) ([]string, error) {
	a := arranger{global: global, commands: commands}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case word == "--":
			for _, rest := range args {
				if err := a.positional(rest); err != nil {
					return nil, err
				}
			}
			args = nil
		case word == "-" || strings.HasPrefix(word, "-:") || !strings.HasPrefix(word, "-"):
			if err := a.positional(word); err != nil {
				return nil, err
			}
		default:
			taken, err := a.flag(word, args)
			if err != nil {
				return nil, err
			}
			args = args[taken:]
		}
	}
	if a.command == "" && a.family != "" && !slices.ContainsFunc(a.globals, isHelp) {
		return nil, &usageError{text: a.family + " is no command by itself: say " + strings.Join(members(a.family, a.commands), " or ")}
	}
	return a.result(), nil
}

type arranger struct {
	global   flagSet
	commands map[string]flagSet

	family   string // first word of a command of two, until the second is known
	command  string // "" until it is known
	globals  []string
	locals   []string
	operands []string
}

func (a *arranger) positional(word string) error {
	if a.command != "" {
		a.operands = append(a.operands, word)
		return nil
	}
	name := strings.TrimLeft(a.family+" "+word, " ")
	if _, ok := a.commands[name]; ok {
		a.command = name
		return nil
	}
	if a.family == "" && len(members(word, a.commands)) > 0 {
		a.family = word
		return nil
	}
	return &usageError{text: "unknown command " + quote(name) + didYouMean(name, a.commands)}
}

// members are the commands of two words whose first is family.
func members(family string, commands map[string]flagSet) []string {
	var names []string
	for name := range commands {
		if strings.HasPrefix(name, family+" ") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func isHelp(word string) bool { return word == "--help" || word == "--h" }

// flag takes the flag in word and says how many of the following arguments are
// its value: none or one.
func (a *arranger) flag(word string, following []string) (taken int, err error) {
	dashed, value, joined := strings.Cut(word, "=")
	name := strings.TrimPrefix(strings.TrimPrefix(dashed, "-"), "-")
	set, to := a.commands[a.command], &a.locals
	takesValue, ok := set[name]
	if !ok {
		to = &a.globals
		takesValue, ok = a.global[name]
	}
	if !ok {
		return 0, a.unknownFlag(dashed, name, set)
	}
	if takesValue && !joined {
		if len(following) == 0 {
			return 0, &usageError{dashed + " needs a value", a.command}
		}
		value, joined, taken = following[0], true, 1
	}
	spelt := "--" + name
	if joined {
		spelt += "=" + value
	}
	*to = append(*to, spelt)
	return taken, nil
}

func (a *arranger) unknownFlag(dashed, name string, set flagSet) error {
	if a.command == "" {
		for _, flags := range a.commands {
			if _, ok := flags[name]; ok {
				return &usageError{text: dashed + " belongs to a command: put it after the command's name"}
			}
		}
	}
	all := flagSet{}
	for _, names := range []flagSet{set, a.global} {
		for known := range names {
			if len(known) > 1 {
				all["--"+known] = true
			}
		}
	}
	return &usageError{"unknown flag " + quote(dashed) + didYouMean("--"+name, all), a.command}
}

func (a *arranger) result() []string {
	if a.command == "" && a.family != "" { // only --help leaves a family at that
		help := []string{"help", "--", a.family}
		return append(slices.DeleteFunc(a.globals, isHelp), help...)
	}
	if a.command == "" {
		return a.globals
	}
	out := append(a.globals, a.command)
	out = append(out, a.locals...)
	out = append(out, "--")
	return append(out, a.operands...)
}

// onlyOnce refuses a command's flag that is given twice where one value alone
// counts, in what arrange has put in order. Of global flags the last one counts, so
// that an alias may have some.
func onlyOnce(ordered []string, table []*command) error {
	at := slices.IndexFunc(ordered, func(word string) bool { return !strings.HasPrefix(word, "-") })
	if at < 0 {
		return nil
	}
	for _, c := range table {
		if c.name != ordered[at] {
			continue
		}
		given := map[string]int{}
		for _, word := range ordered[at+1 : at+1+slices.Index(ordered[at+1:], "--")] {
			name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			given[name]++
		}
		for _, d := range describeFlags(c.flags) {
			if d.value != "" && !d.repeats && given[d.long]+given[d.short] > 1 {
				return &usageError{"--" + d.long + " is given more than once, and takes one " + d.value, c.name}
			}
		}
	}
	return nil
}

// earlyFormat finds --format before anything is parsed, for errors of parsing.
func earlyFormat(args []string) string {
	format := os.Getenv("OCILAYOUT_FORMAT")
	for i, word := range args {
		if word == "--" {
			break
		}
		name, value, joined := strings.Cut(strings.TrimPrefix(word, "-"), "=")
		if name != "-format" && name != "format" || !strings.HasPrefix(word, "-") {
			continue
		}
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		format = value
	}
	return format
}
