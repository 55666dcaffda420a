package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// manual is the manual page in roff's man macros.
func manual(table []*command) string {
	var b strings.Builder
	b.WriteString(".TH OCILAYOUT 1\n.SH NAME\nocilayout \\- " + roff(about) + "\n")
	b.WriteString(".SH SYNOPSIS\n.B ocilayout\n[flags] COMMAND [flags] [ARGUMENT...]\n")
	b.WriteString(".SH DESCRIPTION\n" + roff(references) + "\n.SH COMMANDS\n")
	for _, c := range table {
		fmt.Fprintf(&b, ".SS %s\n.B %s\n.PP\n%s\n", roff(c.name), roff(c.usageLine()), roff(sentence(c.short)))
		if c.long != "" {
			b.WriteString(".PP\n" + strings.ReplaceAll(roff(c.long), "\n\n", "\n.PP\n") + "\n")
		}
		roffFlags(&b, c.flags)
		for _, ex := range c.examples {
			fmt.Fprintf(&b, ".PP\n%s\n.PP\n.RS\n.nf\n%s\n.fi\n.RE\n", roff(ex.does), roff(ex.line))
		}
	}
	b.WriteString(".SH FLAGS OF EVERY COMMAND\n")
	roffFlags(&b, new(env).globalFlags())
	b.WriteString(".SH EXIT STATUS\n.nf\n" + roff(strings.TrimPrefix(exitCodes, "Exit codes:\n")) + ".fi\n")
	return b.String()
}

func roffFlags(b *strings.Builder, flags []cli.Flag) {
	for _, d := range describeFlags(flags) {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(d.spelling())), roff(d.usage+d.remarks()))
	}
}

// roff escapes text: no backslash, dash or leading dot or quote of it is markup.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
