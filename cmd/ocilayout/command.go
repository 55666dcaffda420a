package main

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/ui"
)

// A command is one row of the table that the command line is: help, manual,
// completion and parsing all come from it.
type command struct {
	// name may be two words, such as "artifact put": the first is a family, which
	// is no command by itself.
	name string
	// args names the positional arguments as help shows them, and so says how many
	// there are: "REF NAME..." is two or more, "[FILE]" none or one.
	args  string
	short string // what it does, in one line
	long  string // paragraphs of help below; may be empty
	// examples are real uses, at least two.
	examples []example
	flags    []cli.Flag
	// formats are values of --format beside the usual ones; the result is then a
	// render.Former.
	formats []string
	// report says that the result tells what was done; --quiet leaves its table out.
	report bool
	// run does it with one call into the library. Flags have been stored where
	// they point to. The result is written even if there is an error beside it.
	run func(ctx context.Context, e *env, args []string) (result any, err error)
}

// An example is a line that can be typed and what it does.
type example struct{ does, line string }

// perform runs c and writes its result: the one place that does.
func (c *command) perform(ctx context.Context, e *env, args []string) error {
	if err := c.checkArgs(args); err != nil {
		return err
	}
	ctx, err := e.begin(ctx, c)
	if err != nil {
		return err
	}
	started := time.Now()
	result, err := c.run(ctx, e, args)
	// A result may be a stream that does its work only while it is written, so
	// the display goes on until then, where it can't disturb the result.
	if isTerminal(e.stdout) {
		e.ui.Close()
	}
	writeErr := c.write(e, result)
	e.ui.Close()
	e.ui.Notef(ui.Debug, "%s took %s", c.name, time.Since(started).Round(time.Millisecond))
	if writeErr != nil {
		return writeErr
	}
	return err
}

func (c *command) write(e *env, result any) error {
	if result == nil || c.report && e.global.quiet && e.format.IsTable() {
		return nil
	}
	out := bufio.NewWriterSize(e.stdout, 64<<10)
	err := e.format.Write(out, result)
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	return err
}

func (c *command) checkArgs(args []string) error {
	least, most := arity(c.args)
	switch {
	case len(args) < least:
		return &usageError{c.name + " needs " + c.args + ", " + given(len(args)), c.name}
	case len(args) > most && most == 0:
		return &usageError{c.name + " takes no arguments, " + given(len(args)), c.name}
	case len(args) > most:
		return &usageError{c.name + " takes only " + c.args + ", " + given(len(args)), c.name}
	}
	return nil
}

func given(n int) string {
	if n == 0 {
		return "none given"
	}
	return strconv.Itoa(n) + " given"
}

// arity reads from a usage such as "REF NAME... [FILE]" how many arguments are
// taken.
func arity(usage string) (least, most int) {
	for word := range strings.FieldsSeq(usage) {
		if !strings.HasPrefix(word, "[") {
			least++
		}
		most++
		if strings.HasSuffix(word, "...") || strings.HasSuffix(word, "...]") {
			most += manyArgs
		}
	}
	return least, most
}

// manyArgs is more arguments than any system passes.
const manyArgs = 1 << 30
