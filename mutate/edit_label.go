package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetLabel sets a label of the config, in config.Labels; an empty value takes it out.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetLabel struct{ Key, Value string }

// Image sets the label.
func (e SetLabel) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error {
		return editMember(c, "Labels", func(labels *rawjson.Object) error {
			setExact(labels, e.Key, e.Value)
			return nil
		})
	})
}

var labelFlag = Flag{
	Name:  "label",
	Usage: "set a label of the config: `KEY=VALUE`; an empty value deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		key, text, err := cutPair(value)
		return SetLabel{key, text}, err
	}),
}
