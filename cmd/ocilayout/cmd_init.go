package main

import (
	"context"

	"github.com/ocilayout/ocilayout/layout"
)

func initCommand() *command {
	return &command{
		name:  "init",
		args:  "DIR",
		short: "make a directory an empty layout",
		long:  "A directory that is a layout already stays as it is. One that holds anything else is left alone, with an error.",
		examples: []example{
			{"A layout beside the sources.", "ocilayout init images"},
			{"One for this run only, without waiting for the disk.", "ocilayout init --no-sync /tmp/scratch"},
		},
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			ref, err := layout.ParseReference(args[0])
			if err == nil {
				err = wholeLayout(ref)
			}
			if err != nil {
				return nil, err
			}
			l, err := layout.Init(ctx, ref.Layout, e.layoutOptions())
			if err != nil {
				return nil, err
			}
			return nil, l.Close()
		},
	}
}
