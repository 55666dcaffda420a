package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
)

// page is the result of a command that prints text.
func page(text string) render.Raw {
	return render.Raw{ReadCloser: io.NopCloser(strings.NewReader(text))}
}

// flagDoc is what help, manual, completion and the web page say about a flag.
type flagDoc struct {
	long, short string // without dashes; short may be empty
	value       string // what the value is called; "" for a switch
	usage       string
	initial     string // the default; "" if there is none to tell
	env         string
	repeats     bool
}

func describeFlags(flags []cli.Flag) []flagDoc {
	docs := make([]flagDoc, 0, len(flags))
	for _, f := range flags {
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		d := flagDoc{long: f.Names()[0]}
		if len(f.Names()) > 1 {
			d.short = f.Names()[1]
		}
		if envs := doc.GetEnvVars(); len(envs) > 0 {
			d.env = envs[0]
		}
		before, rest, _ := strings.Cut(doc.GetUsage(), "`")
		name, after, _ := strings.Cut(rest, "`")
		d.usage = before + name + after
		if doc.TakesValue() {
			d.value = cmp.Or(name, "VALUE")
			d.initial = strings.Trim(doc.GetDefaultText(), `"`)
		}
		if generic, ok := f.(*cli.GenericFlag); ok {
			_, d.repeats = generic.Value.(*repeatable)
		}
		docs = append(docs, d)
	}
	return docs
}

// spelling is "-q, --quiet" or "    --format FORMAT".
func (d flagDoc) spelling() string {
	s := "    --" + d.long
	if d.short != "" {
		s = "-" + d.short + ", --" + d.long
	}
	if d.value != "" {
		s += " " + d.value
	}
	return s
}

// remarks are what follows the usage.
func (d flagDoc) remarks() string {
	var s string
	if d.initial != "" {
		s += " (default " + d.initial + ")"
	}
	if d.repeats {
		s += " (repeatable)"
	}
	if d.env != "" {
		s += " [$" + d.env + "]"
	}
	return s
}

func (c *command) usageLine() string {
	return strings.TrimRight("ocilayout "+c.name+" [flags] "+c.args, " ")
}

// commandHelp is what --help of a command prints.
func commandHelp(c *command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ocilayout %s: %s\n\nUsage:\n  %s\n", c.name, c.short, c.usageLine())
	if c.long != "" {
		b.WriteString("\n" + wrap(c.long, 78, "") + "\n")
	}
	b.WriteString("\nExamples:\n")
	for i, ex := range c.examples {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "  # %s\n  %s\n", ex.does, ex.line)
	}
	if len(c.flags) > 0 {
		b.WriteString("\nFlags:\n")
		writeFlags(&b, c.flags)
	}
	if len(c.formats) > 0 {
		fmt.Fprintf(&b, "\n--format also takes %s.\n", strings.Join(c.formats, ", "))
	}
	b.WriteString("\nFlags of every command: ocilayout --help\n")
	return b.String()
}

// programHelp is what --help alone prints.
func programHelp(table []*command) string {
	var b strings.Builder
	b.WriteString("ocilayout: " + about + "\n\nUsage:\n  ocilayout [flags] COMMAND [flags] [ARGUMENT...]\n\nCommands:\n")
	width := 0
	for _, c := range table {
		width = max(width, len(c.name))
	}
	for _, c := range table {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, c.name, c.short)
	}
	b.WriteString("\nFlags of every command, before or after its name and arguments:\n")
	writeFlags(&b, new(env).globalFlags())
	b.WriteString("\n" + wrap(references, 78, "") + "\n\n" + exitCodes + "\nHelp on a command: ocilayout COMMAND --help\n")
	return b.String()
}

// familyHelp lists the commands of two words whose first is family; it is empty if
// there are none.
func familyHelp(family string, table []*command) string {
	var members []*command
	width := 0
	for _, c := range table {
		if strings.HasPrefix(c.name, family+" ") {
			members = append(members, c)
			width = max(width, len(c.name))
		}
	}
	if len(members) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("Commands:\n")
	for _, c := range members {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, c.name, c.short)
	}
	b.WriteString("\nHelp on a command: ocilayout COMMAND --help\n")
	return b.String()
}

const references = "REF is LAYOUT[:NAME][@DIGEST], where LAYOUT is a directory or a plain tar file " +
	"that holds an OCI image layout. Without NAME it is the only image, or else the one called latest."

const exitCodes = `Exit codes:
  0    done
  1    failed
  2    wrong usage, or a name that fits more than one image
  3    not found
  4    content is corrupt or was refused, or a check did not hold
  5    differences found
  130  interrupted
`

func writeFlags(b *strings.Builder, flags []cli.Flag) {
	for _, d := range describeFlags(flags) {
		b.WriteString("  " + d.spelling() + "\n")
		b.WriteString(wrap(d.usage+d.remarks(), 78, "          ") + "\n")
	}
}

// wrap breaks text into lines of at most width, each after indent. Empty lines
// between paragraphs stay.
func wrap(text string, width int, indent string) string {
	var out []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		var lines []string
		line := indent
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == indent:
				line += word
			case len(line)+1+len(word) > width:
				lines = append(lines, line)
				line = indent + word
			default:
				line += " " + word
			}
		}
		out = append(out, strings.Join(append(lines, line), "\n"))
	}
	return strings.Join(out, "\n\n")
}
