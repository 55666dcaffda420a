package mutate

import (
	"context"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// Clear takes out whole fields, by the names that the flags of their edits have: see
// ClearFields. An index has annotations alone.
//
// Config or manifest change, and with the config the manifest; diffIDs and layers stay,
// and history, created and annotations unless they are named. Descriptors of what
// changed get the new digest, and data embedded in them goes.
type Clear struct{ Fields []string }

// clearRuntime says where the fields are in the config's config.
var clearRuntime = map[string]string{
	"entrypoint": "Entrypoint", "cmd": "Cmd", "env": "Env", "label": "Labels", "user": "User", "workdir": "WorkingDir",
	"expose": "ExposedPorts", "volume": "Volumes", "stop-signal": "StopSignal", "healthcheck": "Healthcheck",
	"onbuild": "OnBuild", "shell": "Shell",
}

// clearOther are the fields that are elsewhere.
var clearOther = []string{"annotation", "author", "created", "history"}

// ClearFields lists what Clear can take out, sorted.
func ClearFields() []string {
	names := slices.Clone(clearOther)
	for name := range clearRuntime {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Image takes out the fields.
func (e Clear) Image(_ context.Context, im *Image) error {
	for _, name := range e.Fields {
		if name == "annotation" {
			im.Manifest.Delete("annotations")
			continue
		}
		if ok, err := hasConfig(im); err != nil || !ok {
			return err
		}
		if err := e.field(im, name); err != nil {
			return err
		}
	}
	return nil
}

func (Clear) field(im *Image, name string) error {
	remove := func(o *rawjson.Object, key string) error {
		key, err := keyOf(o, key)
		o.Delete(key)
		return err
	}
	switch key, runtime := clearRuntime[name]; {
	case runtime:
		return editRuntime(im, func(c *rawjson.Object) error { return remove(c, key) })
	case name == "history":
		im.History = nil
		return nil
	case slices.Contains(clearOther, name):
		return remove(im.Config, name)
	}
	return notClearable(name)
}

func notClearable(name string) error {
	return content.Errorf(content.ErrInvalid, "%q can't be cleared: want %s", name, strings.Join(ClearFields(), ", "))
}

// Index takes out the annotations, if they are to go.
func (e Clear) Index(_ context.Context, ix *Index) error {
	if slices.Contains(e.Fields, "annotation") {
		ix.Manifest.Delete("annotations")
	}
	return nil
}

var clearFlag = Flag{
	Name:  "clear",
	Usage: "delete whole fields: `LIST` has some of these between commas: " + strings.Join(ClearFields(), ", "),
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		fields := strings.Split(value, ",")
		for _, name := range fields {
			if !slices.Contains(ClearFields(), name) {
				return nil, notClearable(name)
			}
		}
		return Clear{fields}, nil
	}),
}
