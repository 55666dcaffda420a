package main

import "context"

func manCommand() *command {
	return &command{
		name:  "man",
		short: "print the manual page, with every command",
		examples: []example{
			{"Read it.", "ocilayout man | man -l -"},
			{"Install it.", "ocilayout man > /usr/local/share/man/man1/ocilayout.1"},
		},
		run: func(_ context.Context, e *env, _ []string) (any, error) {
			return page(manual(e.table)), nil
		},
	}
}
