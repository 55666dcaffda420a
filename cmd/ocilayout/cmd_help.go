package main

import (
	"context"
	"strings"
)

func helpCommand() *command {
	return &command{
		name:  "help",
		args:  "[COMMAND...]",
		short: "show help on ocilayout or on a command",
		examples: []example{
			{"All commands.", "ocilayout help"},
			{"One of them, as 'ocilayout ls --help' does.", "ocilayout help ls"},
		},
		run: func(_ context.Context, e *env, args []string) (any, error) {
			if len(args) == 0 {
				return page(programHelp(e.table)), nil
			}
			name := strings.Join(args, " ")
			for _, c := range e.table {
				if c.name == name {
					return page(commandHelp(c)), nil
				}
			}
			if text := familyHelp(name, e.table); text != "" {
				return page(text), nil
			}
			return nil, &usageError{text: "unknown command " + quote(name) + didYouMean(name, commandFlags(e.table))}
		},
	}
}
