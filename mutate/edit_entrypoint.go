package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetEntrypoint sets the program that a container runs, in the config's
// config.Entrypoint; none takes it out. Cmd, its arguments, stays.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetEntrypoint struct{ Args []string }

// Image sets the entrypoint.
func (e SetEntrypoint) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error { return setTexts(c, "Entrypoint", e.Args) })
}

var entrypointFlag = Flag{
	Name:  "entrypoint",
	Usage: "set the program that is run: `WORDS` are a JSON array, or a text for /bin/sh -c; \"\" deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		args, err := parseWords(value)
		return SetEntrypoint{args}, err
	}),
}
