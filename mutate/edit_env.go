package mutate

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetEnv sets a variable of the environment that containers start with, in the
// config's config.Env, where it stands, or at the end if it is new; an empty value
// takes it out. The other variables keep their order and bytes. Of a variable that
// is there twice the first one is set and the others go.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetEnv struct{ Name, Value string }

// Image sets the variable.
func (e SetEnv) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error {
		key, err := keyOf(c, "Env")
		if err != nil {
			return err
		}
		spelled, values, err := texts(c.Get(key))
		if err != nil {
			return content.At(key, err)
		}
		list := e.set(spelled, values)
		switch {
		case slices.EqualFunc(list, spelled, func(a, b json.RawMessage) bool { return string(a) == string(b) }):
		case len(list) == 0:
			c.Delete(key)
		default:
			c.Set(key, array(list))
		}
		return nil
	})
}

// set makes the new list of an old one.
func (e SetEnv) set(spelled []json.RawMessage, values []string) []json.RawMessage {
	var list []json.RawMessage
	want, done := e.Name+"="+e.Value, e.Value == ""
	for i, value := range values {
		switch name, _, _ := strings.Cut(value, "="); {
		case name != e.Name:
			list = append(list, spelled[i])
		case done:
		case value == want:
			list, done = append(list, spelled[i]), true
		default:
			list, done = append(list, rawjson.Quote(want)), true
		}
	}
	if !done {
		list = append(list, rawjson.Quote(want))
	}
	return list
}

var envFlag = Flag{
	Name:  "env",
	Usage: "set a variable of the environment: `NAME=VALUE`; an empty value deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		name, text, err := cutPair(value)
		return SetEnv{name, text}, err
	}),
}
