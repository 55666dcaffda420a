package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/ui"
	"github.com/ocilayout/ocilayout/content"
)

// An env is what a command sees of the world: streams and global flags.
type env struct {
	stdin  io.Reader // of commands that take "-" as a file
	stdout io.Writer // of commands that give "-" as a file; results are returned instead
	stderr io.Writer

	table  []*command // all of them, for help and the like
	global globals
	limits content.Limits // zero where the default holds
	format render.Format
	ui     *ui.UI

	passwordRead bool // from stdin, which has no second one
}

// globals are the flags of every command.
type globals struct {
	format, progress, logLevel string
	limit                      string
	quiet, noSync              bool
	lockTimeout                time.Duration
	help, version              bool
}

// begin makes ready what the global flags ask for. The context it returns
// carries the progress display.
func (e *env) begin(ctx context.Context, c *command) (context.Context, error) {
	format, err := render.Parse(e.global.format, isTerminal(e.stdout), c.formats...)
	if err != nil {
		return ctx, err
	}
	if e.global.lockTimeout < 0 {
		return ctx, content.Errorf(content.ErrInvalid, "--lock-timeout %s: want a time such as 30s", e.global.lockTimeout)
	}
	if e.global.limit != "" {
		if e.limits, err = content.ParseLimits(e.global.limit); err != nil {
			return ctx, fmt.Errorf("--limit: %w", err)
		}
	}
	level, err := ui.ParseLevel(e.global.logLevel)
	if err != nil {
		return ctx, err
	}
	style, err := e.style()
	if err != nil {
		return ctx, err
	}
	if e.global.quiet {
		style, level = ui.None, ui.Error
	}
	e.format = format
	e.ui = ui.New(e.stderr, ui.Options{Style: style, Level: level, JSON: format.IsJSON()})
	if style == ui.None {
		return ctx, nil
	}
	return content.WithProgress(ctx, e.ui), nil
}

func (e *env) style() (ui.Style, error) {
	switch e.global.progress {
	case "none":
		return ui.None, nil
	case "plain":
		return ui.Plain, nil
	case "auto":
		if isTerminal(e.stderr) {
			return ui.Bars, nil
		}
		return ui.Plain, nil
	}
	return ui.None, content.Errorf(content.ErrInvalid, "--progress %q: want auto, plain or none", e.global.progress)
}

// warnf writes a warning that the result does not hold.
func (e *env) warnf(format string, args ...any) {
	e.ui.Notef(ui.Warn, format, args...)
}

// input opens a file to be read, or standard input for "-". The caller closes it.
func (e *env) input(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(e.stdin), nil
	}
	return os.Open(path)
}

// jsonErrors says whether errors are read by a program.
func (e *env) jsonErrors() bool { return e.global.format == "json" }

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && ui.IsTerminal(f)
}
