package mutate

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetCmd sets the arguments of the entrypoint, or the program that is run where there
// is none, in the config's config.Cmd; none takes it out.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetCmd struct{ Args []string }

// Image sets the command.
func (e SetCmd) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error { return setTexts(c, "Cmd", e.Args) })
}

var cmdFlag = Flag{
	Name:  "cmd",
	Usage: "set the arguments of the entrypoint: `WORDS` are a JSON array, or a text for /bin/sh -c; \"\" deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		args, err := parseWords(value)
		return SetCmd{args}, err
	}),
}

// parseWords reads a JSON array of texts, or a text that a shell runs. What begins as
// an array of texts does and is none is ErrInvalid, not a strange command.
func parseWords(value string) ([]string, error) {
	if err := checkText(value); err != nil || value == "" {
		return nil, err
	}
	var words []string
	trimmed := strings.TrimSpace(value)
	if strings.HasPrefix(trimmed, "[") && json.Unmarshal([]byte(trimmed), &words) == nil {
		return words, nil
	}
	if rest, ok := strings.CutPrefix(trimmed, "["); ok && strings.HasPrefix(strings.TrimSpace(rest), `"`) {
		return nil, content.Errorf(content.ErrInvalid, "%q is no JSON array of texts", value)
	}
	return []string{"/bin/sh", "-c", value}, nil
}
