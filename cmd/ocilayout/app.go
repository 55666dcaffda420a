package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"
)

const about = "container images in OCI layout directories"

// execute parses args, without the program's name, and does what they ask for.
func (e *env) execute(ctx context.Context, args []string) error {
	cli.HelpFlag = nil // help is a global flag like the others, with texts of our own
	if err := forgetEmpty(e.globalFlags()); err != nil {
		return err
	}
	e.global.format = earlyFormat(args)
	e.table = commandTable()
	app := e.app()
	ordered, err := arrange(args, spellings(app.Flags), commandFlags(e.table))
	if err != nil {
		return err
	}
	if err := onlyOnce(ordered, e.table); err != nil {
		return err
	}
	return app.RunContext(ctx, append([]string{app.Name}, ordered...))
}

func (e *env) app() *cli.App {
	app := &cli.App{
		Name:                      "ocilayout",
		Usage:                     about,
		Flags:                     e.globalFlags(),
		HideHelp:                  true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		Writer:                    io.Discard, // nothing is written but by perform and report
		ErrWriter:                 io.Discard,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              onUsageError,
		Action: func(cc *cli.Context) error {
			return e.withoutCommand(cc.Context)
		},
	}
	for _, c := range e.table {
		app.Commands = append(app.Commands, &cli.Command{
			Name:         c.name,
			Flags:        c.flags,
			HideHelp:     true,
			OnUsageError: onUsageError,
			Action: func(cc *cli.Context) error {
				if e.global.help {
					return helpCommand().perform(cc.Context, e, []string{c.name})
				}
				return c.perform(cc.Context, e, cc.Args().Slice())
			},
		})
	}
	return app
}

// withoutCommand serves a command line that has flags alone.
func (e *env) withoutCommand(ctx context.Context) error {
	switch {
	case e.global.help:
		return helpCommand().perform(ctx, e, nil)
	case e.global.version:
		return versionCommand().perform(ctx, e, nil)
	}
	return &usageError{text: "no command given"}
}

// forgetEmpty takes variables of flags that are set to nothing out of the
// environment: they are as good as not set.
func forgetEmpty(flags []cli.Flag) error {
	for _, d := range describeFlags(flags) {
		if value, ok := os.LookupEnv(d.env); ok && value == "" {
			if err := os.Unsetenv(d.env); err != nil {
				return err
			}
		}
	}
	return nil
}

// onUsageError turns what the flag parser says into a line of ours.
func onUsageError(cc *cli.Context, err error, _ bool) error {
	name := ""
	if cc.Command != nil && cc.Command.Name != "ocilayout" {
		name = cc.Command.Name
	}
	return &usageError{err.Error(), name}
}

func (e *env) globalFlags() []cli.Flag {
	g := &e.global
	return []cli.Flag{
		&cli.StringFlag{
			Name: "format", Value: "table", Destination: &g.format, EnvVars: []string{"OCILAYOUT_FORMAT"},
			Usage: "write results as `FORMAT`: table, json, or a Go template over the JSON's fields",
		},
		&cli.BoolFlag{
			Name: "quiet", Aliases: []string{"q"}, Destination: &g.quiet, EnvVars: []string{"OCILAYOUT_QUIET"},
			Usage: "no progress, no warnings, no tables of what was done",
		},
		&cli.StringFlag{
			Name: "progress", Value: "auto", Destination: &g.progress, EnvVars: []string{"OCILAYOUT_PROGRESS"},
			Usage: "show progress on standard error in `STYLE`: auto (bars on a terminal, else plain), plain (a line every few seconds), none",
		},
		&cli.StringFlag{
			Name: "log-level", Value: "warn", Destination: &g.logLevel, EnvVars: []string{"OCILAYOUT_LOG_LEVEL"},
			Usage: "write notes up to `LEVEL` on standard error: error, warn, info, debug",
		},
		&cli.BoolFlag{
			Name: "no-sync", Destination: &g.noSync, EnvVars: []string{"OCILAYOUT_NO_SYNC"},
			Usage: "don't wait until data is on the disk: for scratch layouts; writes stay atomic and locked",
		},
		&cli.DurationFlag{
			Name: "lock-timeout", Value: time.Minute, Destination: &g.lockTimeout, EnvVars: []string{"OCILAYOUT_LOCK_TIMEOUT"},
			Usage: "wait at most `TIME` for other processes that write names",
		},
		&cli.StringFlag{
			Name: "limit", Destination: &g.limit, EnvVars: []string{"OCILAYOUT_LIMIT"},
			Usage: "read what is over a limit, as `LIST` says, such as ratio=50000,manifest=16M; limits are manifest, index, layer and tree (bytes), ratio (how far a layer may expand), depth, members and nodes",
		},
		&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Destination: &g.help, Usage: "show help"},
		&cli.BoolFlag{Name: "version", Destination: &g.version, Usage: "show the version"},
	}
}
