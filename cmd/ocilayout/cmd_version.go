package main

import (
	"context"
	"runtime/debug"
)

func versionCommand() *command {
	return &command{
		name:  "version",
		short: "show which ocilayout this is",
		examples: []example{
			{"For people.", "ocilayout version"},
			{"The version alone, for scripts.", "ocilayout version --format '{{.version}}'"},
		},
		run: func(context.Context, *env, []string) (any, error) {
			info, _ := debug.ReadBuildInfo()
			return buildOf(info), nil
		},
	}
}
