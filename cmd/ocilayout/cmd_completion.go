package main

import "context"

func completionCommand() *command {
	return &command{
		name:  "completion",
		args:  "bash|zsh|fish|powershell",
		short: "print a script that completes commands and flags in a shell",
		examples: []example{
			{"In this bash.", "source <(ocilayout completion bash)"},
			{"In every fish.", "ocilayout completion fish > ~/.config/fish/completions/ocilayout.fish"},
		},
		run: func(_ context.Context, e *env, args []string) (any, error) {
			generate, ok := completions[args[0]]
			if !ok {
				return nil, &usageError{"no completion for " + quote(args[0]) + ": want bash, zsh, fish or powershell", "completion"}
			}
			return page(generate(families(e.table))), nil
		},
	}
}
