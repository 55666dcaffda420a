package mutate

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetHealthcheck sets docker's check of whether a container is well, in the config's
// config.Healthcheck, as the JSON that it is given; nil takes it out. Image-spec does
// not know the field: docker and podman heed it, and others leave it alone.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetHealthcheck struct{ JSON json.RawMessage }

// Image sets the check.
func (e SetHealthcheck) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error {
		key, err := keyOf(c, "Healthcheck")
		if err != nil {
			return err
		}
		if e.JSON == nil {
			c.Delete(key)
			return nil
		}
		c.Set(key, e.JSON)
		return nil
	})
}

var healthcheckFlag = Flag{
	Name:  "healthcheck",
	Usage: "set docker's check: `JSON` such as {\"Test\":[\"CMD\",\"true\"],\"Interval\":30000000000}; \"\" deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		if value == "" {
			return SetHealthcheck{}, nil
		}
		raw := json.RawMessage(strings.TrimSpace(value))
		return SetHealthcheck{raw}, checkHealthcheck(raw)
	}),
}

// shortestCheck is the least time that docker takes for a check.
const shortestCheck = time.Millisecond

// checkHealthcheck holds that docker would take a check. Times are in nanoseconds.
func checkHealthcheck(raw json.RawMessage) error {
	invalid := func(format string, args ...any) error {
		return content.Errorf(content.ErrInvalid, "healthcheck: "+format, args...)
	}
	if err := rawjson.Check(raw, 4); err != nil {
		return invalid("%w", err)
	}
	o, err := rawjson.Parse(raw)
	if err != nil {
		return invalid("%w", err)
	}
	for _, f := range o.Fields() {
		var n int64
		switch f.Key {
		case "Test":
			_, words, err := texts(f.Value)
			if err != nil || len(words) > 0 && words[0] != "NONE" && words[0] != "CMD" && words[0] != "CMD-SHELL" {
				return invalid("Test is no list of texts that begins with NONE, CMD or CMD-SHELL")
			}
		case "Interval", "Timeout", "StartPeriod", "StartInterval":
			if json.Unmarshal(f.Value, &n) != nil || n < 0 || n > 0 && time.Duration(n) < shortestCheck {
				return invalid("%s is %s: want nanoseconds, 0 or at least a million", f.Key, f.Value)
			}
		case "Retries":
			if json.Unmarshal(f.Value, &n) != nil || n < 0 {
				return invalid("Retries is %s: want a number", f.Value)
			}
		default:
			return invalid("%q is no field of it", f.Key)
		}
	}
	return nil
}
