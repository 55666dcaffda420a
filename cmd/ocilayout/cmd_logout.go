package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/registry"
)

func logoutCommand() *command {
	var o registry.Options
	return &command{
		name:  "logout",
		args:  "REGISTRY",
		short: "remove the credentials for a registry",
		long:  "They are removed from --authfile, from REGISTRY_AUTH_FILE, or else from docker's and podman's files. The registry is not asked.",
		examples: []example{
			{"From wherever they are.", "ocilayout logout registry.example.com"},
			{"From one file.", "ocilayout logout registry.example.com --authfile auth.json"},
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "authfile", Destination: &o.AuthFile, Usage: "`FILE` with credentials, as docker and podman write it"},
		},
		report: true,
		run: func(ctx context.Context, _ *env, args []string) (any, error) {
			host, err := registry.ParseHost(args[0])
			if err != nil {
				return nil, err
			}
			files, err := registry.Logout(ctx, host, o)
			if err != nil {
				return nil, err
			}
			return host + ": no credentials are left in " + strings.Join(files, ", "), nil
		},
	}
}
