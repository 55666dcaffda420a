package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dashed is the name of a command as files and anchors have it.
func dashed(name string) string { return strings.ReplaceAll(name, " ", "-") }

// golden compares got with a file, or writes the file when updating.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if updating() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; OCILAYOUT_UPDATE=1 rewrites it. Got:\n%s", path, got)
	}
}

func TestHelpIsGolden(t *testing.T) {
	table := commandTable()
	golden(t, "testdata/help/ocilayout.txt", programHelp(table))
	for _, c := range table {
		golden(t, "testdata/help/"+dashed(c.name)+".txt", commandHelp(c))
	}
	golden(t, "../../docs/cli.md", webPage(table))
	files, err := filepath.Glob("testdata/help/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(table)+1 {
		t.Errorf("testdata/help has %d files for %d commands", len(files), len(table))
	}
}

// TestTable holds every command to what help and parsing take for granted.
func TestTable(t *testing.T) {
	table := commandTable()
	sets := commandFlags(table)
	global := spellings(new(env).globalFlags())
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			if len(c.examples) < 2 {
				t.Error("fewer than two examples")
			}
			for _, ex := range c.examples {
				if !strings.Contains(ex.line, "ocilayout "+c.name) && c.name != "help" {
					t.Errorf("example %q does not show the command", ex.line)
				}
				if err := parses(ex.line, sets); err != nil {
					t.Errorf("example %q: %v", ex.line, err)
				}
			}
			if c.short == "" || strings.HasSuffix(c.short, ".") || strings.Contains(c.short, "\n") {
				t.Errorf("short %q is not one line without a full stop", c.short)
			}
			for _, d := range describeFlags(c.flags) {
				if _, ok := global[d.long]; ok {
					t.Errorf("--%s hides a global flag", d.long)
				}
				if _, ok := global[d.short]; ok && d.short != "" {
					t.Errorf("-%s hides a global flag", d.short)
				}
				if d.usage == "" {
					t.Errorf("--%s has no usage", d.long)
				}
				if strings.Contains(d.usage, "repeatable") {
					t.Errorf("--%s says repeatable, which help adds", d.long)
				}
			}
			if scripts, _ := filepath.Glob("testdata/script/" + dashed(c.name) + "*.txtar"); len(scripts) == 0 {
				t.Error("no script in testdata/script")
			}
		})
	}
}

var inQuotes = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// parses checks that the ocilayout command lines in an example are right, as far
// as flags and the number of arguments go.
func parses(line string, sets map[string]flagSet) error {
	line = inQuotes.ReplaceAllString(line, "QUOTED")
	for _, part := range regexp.MustCompile(`\||&&|;|\n|<\(|\$\(|\)`).Split(line, -1) {
		words := strings.Fields(strings.TrimSuffix(part, "\\"))
		if len(words) == 0 || words[0] != "ocilayout" {
			continue
		}
		for i, word := range words {
			if strings.HasPrefix(word, ">") || strings.HasPrefix(word, "<") || strings.HasPrefix(word, "#") {
				words = words[:i]
				break
			}
		}
		ordered, err := arrange(words[1:], spellings(new(env).globalFlags()), sets)
		if err != nil {
			return err
		}
		for _, c := range commandTable() {
			at := indexOf(ordered, c.name)
			if end := indexOf(ordered, "--"); at >= 0 && at < end {
				if err := c.checkArgs(ordered[end+1:]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func indexOf(words []string, word string) int {
	for i, w := range words {
		if w == word {
			return i
		}
	}
	return -1
}

func TestArity(t *testing.T) {
	for _, c := range []struct {
		usage       string
		least, most int
	}{
		{"", 0, 0},
		{"DIR", 1, 1},
		{"[FILE]", 0, 1},
		{"LAYOUT[:NAME]", 1, 1},
		{"REF [PATH]", 1, 2},
		{"REF NAME...", 2, 2 + manyArgs},
		{"[FILE...]", 0, 1 + manyArgs},
		{"ARCHIVE... LAYOUT", 2, 2 + manyArgs},
	} {
		least, most := arity(c.usage)
		if least != c.least || most != c.most {
			t.Errorf("arity(%q) = %d, %d, want %d, %d", c.usage, least, most, c.least, c.most)
		}
	}
}
