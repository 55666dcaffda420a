package main

import (
	"context"

	"github.com/ocilayout/ocilayout/registry"
)

func loginCommand() *command {
	var f registryFlags
	return &command{
		name:  "login",
		args:  "REGISTRY",
		short: "store the credentials for a registry, if it takes them",
		long: "They go where docker's and podman's do: to --authfile, to REGISTRY_AUTH_FILE, or else to docker's config.json, " +
			"and with the credential helper that this file names, if it names one, else into the file itself. " +
			"On a terminal it asks for what flags leave out.",
		examples: []example{
			{"A password that is typed and not shown.", "ocilayout login registry.example.com"},
			{"A password from a file.", "ocilayout login registry.example.com --username ci --password-stdin < password"},
			{"A token from the environment, for this job alone.", "printenv TOKEN | ocilayout login registry.example.com -u ci --password-stdin --authfile auth.json"},
		},
		flags:  f.flags(),
		report: true,
		run: func(ctx context.Context, e *env, args []string) (any, error) {
			host, err := registry.ParseHost(args[0])
			if err != nil {
				return nil, err
			}
			if err := f.ask(ctx, e); err != nil {
				return nil, err
			}
			o, err := f.options(e)
			if err != nil {
				return nil, err
			}
			path, err := registry.Login(ctx, host, o)
			if err != nil {
				return nil, err
			}
			return host + ": the credentials are in " + path, nil
		},
	}
}
