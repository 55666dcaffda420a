package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetVolume says that containers keep a directory in a volume of its own, in the
// config's config.Volumes, or with Remove that they do not. A relative path is
// ErrInvalid, but it can be removed.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetVolume struct {
	Path   string
	Remove bool
}

// Image adds the volume or takes it out.
func (e SetVolume) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error {
		if err := checkRooted(im, e.Path); !e.Remove && err != nil {
			return err
		}
		return editMember(c, "Volumes", func(volumes *rawjson.Object) error {
			setMember(volumes, e.Path, e.Remove)
			return nil
		})
	})
}

var volumeFlag = Flag{
	Name:  "volume",
	Usage: "add a directory that is kept in a volume: `PATH` is absolute; with = at the end it is deleted",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		path, remove, err := cutDeletion(value)
		if err == nil && !remove {
			err = checkAbsolute(path)
		}
		return SetVolume{path, remove}, err
	}),
}
