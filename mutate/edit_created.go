package mutate

import (
	"context"
	"time"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetCreated sets when the image was made, in the config's created, as it is spelled
// here: a time of RFC 3339; "" takes it out. The times of history and of files stay,
// and so does the annotation org.opencontainers.image.created.
//
// The config changes, and with it the manifest; history, diffIDs, annotations and
// layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetCreated struct{ Time string }

// Image sets the time.
func (e SetCreated) Image(_ context.Context, im *Image) error {
	return editConfig(im, func(c *rawjson.Object) error { return setText(c, "created", e.Time) })
}

var createdFlag = Flag{
	Name:  "created",
	Usage: "set when the image was made: `TIME` as 2026-11-25T12:00:00Z, 2026-11-25, seconds since 1970, or now; \"\" deletes",
	Parse: selected(func(value string, env FlagEnv) (Change, error) {
		if _, err := time.Parse(time.RFC3339, value); err == nil || value == "" {
			return SetCreated{value}, nil
		}
		at, err := ParseTime(value, env)
		return SetCreated{at.UTC().Format(time.RFC3339Nano)}, err
	}),
}
