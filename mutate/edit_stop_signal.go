package mutate

import (
	"context"
	"regexp"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetStopSignal sets the signal that asks a container to end, in the config's
// config.StopSignal; "" takes it out.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetStopSignal struct{ Signal string }

// Image sets the signal.
func (e SetStopSignal) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error { return setText(c, "StopSignal", e.Signal) })
}

// signals is the grammar of names and numbers of signals, such as SIGRTMIN+3. It is
// compiled when it is needed: not every command has edits.
const signals = `^([A-Z][A-Z0-9]{1,15}([+-][0-9]{1,2})?|[0-9]{1,3})$`

var stopSignalFlag = Flag{
	Name:  "stop-signal",
	Usage: "set the signal that asks it to end: `SIGNAL` is a name such as SIGTERM, or a number; \"\" deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		if value != "" && !regexp.MustCompile(signals).MatchString(value) {
			return nil, content.Errorf(content.ErrInvalid, "%q is no signal: want one such as SIGTERM", value)
		}
		return SetStopSignal{value}, nil
	}),
}
