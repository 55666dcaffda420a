package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

var (
	orderGlobals  = flagSet{"format": true, "quiet": false, "q": false, "help": false}
	orderCommands = map[string]flagSet{
		"ls":   {"all": false, "l": false, "match": true},
		"copy": {"platform": true, "link": false, "o": true},

		"pack put": {"type": true},
		"pack get": {},
	}
)

func TestArrange(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"ls", "ls --"},
		{"ls L", "ls -- L"},
		{"ls L --all", "ls --all -- L"},
		{"ls --all L -l", "ls --all --l -- L"},
		{"ls L -l=false", "ls --l=false -- L"},
		{"--quiet ls L", "--quiet ls -- L"},
		{"ls L -q --format json", "--q --format=json ls -- L"},
		{"--format json ls --match a* L", "--format=json ls --match=a* -- L"},
		{"ls L --match=a=b --format={{.name}}", "--format={{.name}} ls --match=a=b -- L"},
		{"ls --match -- L", "ls --match=-- -- L"},
		{"ls --match --all L", "ls --match=--all -- L"},
		{"ls -- --all -q", "ls -- --all -q"},
		{"-- ls --all", "ls -- --all"},
		{"copy - -", "copy -- - -"},
		{"copy -:a/b -", "copy -- -:a/b -"},
		{"copy a --platform linux/amd64 b --link --platform linux/arm64", "copy --platform=linux/amd64 --link --platform=linux/arm64 -- a b"},
		{"copy -o f a b", "copy --o=f -- a b"},
		{"copy ls copy", "copy -- ls copy"},
		{"--help", "--help"},
		{"ls --format=", "--format= ls --"},
		{"-quiet ls -all", "--quiet ls --all --"},
		{"pack put L --type x F", "pack put --type=x -- L F"},
		{"pack --quiet get L", "--quiet pack get -- L"},
		{"pack put put", "pack put -- put"},
		{"pack --help", "help -- pack"},
		{"--help -q pack", "--q help -- pack"},
	} {
		got, err := arrange(strings.Fields(c.in), orderGlobals, orderCommands)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("arrange(%s) = %s, %v, want %s", c.in, strings.Join(got, " "), err, c.want)
		}
	}
}

func TestArrangeRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"lss L", `unknown command "lss": did you mean ls?`},
		{"nothing", `unknown command "nothing"`},
		{"ls --al L", `unknown flag "--al": did you mean --all?`},
		{"ls --zzzzzz", `unknown flag "--zzzzzz"`},
		{"ls L --platform x", `unknown flag "--platform"`},
		{"ls ---all", `unknown flag "---all": did you mean --all?`},
		{"ls L --match", `--match needs a value`},
		{"--format", `--format needs a value`},
		{"--all ls", `--all belongs to a command: put it after the command's name`},
		{"pack", `pack is no command by itself: say pack get or pack put`},
		{"pack pu", `unknown command "pack pu": did you mean pack put?`},
		{"pack --type x put", `--type belongs to a command: put it after the command's name`},
	} {
		got, err := arrange(strings.Fields(c.in), orderGlobals, orderCommands)
		if err == nil || err.Error() != c.want || !errors.Is(err, errUsage) {
			t.Errorf("arrange(%s) = %q, %v, want %s", c.in, got, err, c.want)
		}
	}
}

// FuzzArrange checks that whatever is typed, nothing is lost or invented: every
// word comes out once, as a flag, a value or a positional argument, and what
// follows "--" in the result is never a flag that was taken.
func FuzzArrange(f *testing.F) {
	for _, seed := range []string{
		"ls L --all", "--format json ls L", "copy a -o f b", "ls -- --all", "-- ls", "ls --match -- x", "copy - -", "ls -l=false -q", "--", "-=", "ls --=x", "--x=y=z", "pack put L", "pack -q get",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		in := strings.Fields(line)
		out, err := arrange(in, orderGlobals, orderCommands)
		if err != nil {
			if !errors.Is(err, errUsage) {
				t.Fatalf("%q: %v is no usage error", in, err)
			}
			return
		}
		again, err := arrange(out, orderGlobals, orderCommands)
		if err != nil || !slices.Equal(again, out) {
			t.Fatalf("%q becomes %q, which becomes %q, %v", in, out, again, err)
		}
		if got, want := letters(out), letters(in); got != want {
			t.Fatalf("%q becomes %q: letters %q, had %q", in, out, got, want)
		}
	})
}

// letters are the sorted bytes of words without what arrange may add or drop:
// dashes, the "=" that joins a value, and the space in a command of two words.
func letters(words []string) string {
	b := []byte(strings.NewReplacer("-", "", "=", "", " ", "").Replace(strings.Join(words, "")))
	slices.Sort(b)
	return string(b)
}

func TestEarlyFormat(t *testing.T) {
	t.Setenv("OCILAYOUT_FORMAT", "table")
	for _, c := range []struct{ in, want string }{
		{"", "table"},
		{"ls --format json", "json"},
		{"--format=json ls", "json"},
		{"-format json", "json"},
		{"ls -- --format json", "table"},
		{"ls format json", "table"},
		{"--format", ""},
	} {
		if got := earlyFormat(strings.Fields(c.in)); got != c.want {
			t.Errorf("earlyFormat(%s) = %q, want %q", c.in, got, c.want)
		}
	}
}
