package main

import (
	"fmt"
	"strings"
)

// webPage is docs/cli.md.
func webPage(table []*command) string {
	var b strings.Builder
	b.WriteString("# The commands of ocilayout\n\nThis page is generated from the texts of `--help`.\n\n")
	for _, c := range table {
		fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", c.name, dashed(c.name), c.short)
	}
	b.WriteString("\n```text\n" + programHelp(table) + "```\n")
	for _, c := range table {
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s```\n", c.name, commandHelp(c))
	}
	return b.String()
}
