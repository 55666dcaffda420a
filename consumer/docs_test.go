package consumer_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/consumer"
)

const page = "../docs/consumers.md"

const generated = "<!-- What follows is generated from the table of package consumer. -->\n"

// TestPage holds docs/consumers.md to the table. OCILAYOUT_UPDATE=1 rewrites what is
// generated of it.
func TestPage(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, ok := strings.Cut(string(data), generated)
	if !ok {
		t.Fatalf("%s has no line %s", page, generated)
	}
	want := matrix() + sections()
	if os.Getenv("OCILAYOUT_UPDATE") == "1" {
		if err := os.WriteFile(page, []byte(head+generated+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if tail != want {
		t.Errorf("%s differs from the table; OCILAYOUT_UPDATE=1 rewrites it", page)
	}
	for _, c := range consumer.All() {
		if !strings.Contains(head, "`"+string(c)+"`") {
			t.Errorf("%s does not say what %s is", page, c)
		}
	}
}

// matrix says which rule holds for whom.
func matrix() string {
	var b strings.Builder
	b.WriteString("\n| rule | what is done |")
	line := "\n|---|---|"
	for _, c := range consumer.All() {
		fmt.Fprintf(&b, " %s |", c)
		line += "---|"
	}
	b.WriteString(line + "\n")
	for _, r := range consumer.Rules("") {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |", r.ID, r.ID, r.Action)
		for _, c := range consumer.All() {
			mark := " "
			if slices.ContainsFunc(consumer.Rules(c), func(own consumer.Rule) bool { return own.ID == r.ID }) {
				mark = "x"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func sections() string {
	var b strings.Builder
	for _, r := range consumer.Rules("") {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n", r.ID, r.Statement)
		if r.ArchiveOnly {
			b.WriteString("This is a rule about archives.\n")
		}
		fmt.Fprintf(&b, "\nWithout it: %s\n\n", r.Without)
		for _, s := range r.Source {
			fmt.Fprintf(&b, "- <%s>\n", s)
		}
	}
	return b.String()
}

// TestTable holds every rule to what the page and the commands take for granted.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range consumer.Rules("") {
		if seen[r.ID] || r.ID == "" || strings.ToLower(r.ID) != r.ID || strings.Contains(r.ID, " ") {
			t.Errorf("id %q", r.ID)
		}
		seen[r.ID] = true
		if !strings.HasSuffix(r.Statement, ".") || !strings.HasSuffix(r.Without, ".") || len(r.Consumers) == 0 || len(r.Source) == 0 {
			t.Errorf("%s is not complete: %+v", r.ID, r)
		}
		for _, s := range r.Source {
			if !strings.HasPrefix(s, "https://") {
				t.Errorf("%s: the source %q is no address", r.ID, s)
			}
		}
		for _, c := range r.Consumers {
			if _, err := consumer.Parse(string(c)); err != nil || c == consumer.Docker {
				t.Errorf("%s holds for %q", r.ID, c)
			}
		}
	}
	for _, c := range consumer.All() {
		if len(consumer.Rules(c)) < 5 {
			t.Errorf("%s has %d rules", c, len(consumer.Rules(c)))
		}
	}
	both := len(consumer.Rules(consumer.Docker))
	if classic, other := len(consumer.Rules(consumer.DockerClassic)), len(consumer.Rules(consumer.DockerContainerd)); both < classic || both < other {
		t.Errorf("docker has %d rules, its stores %d and %d", both, classic, other)
	}
}
