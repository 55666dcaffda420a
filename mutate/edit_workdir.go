package mutate

import (
	"context"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetWorkdir sets the directory that containers start in, in the config's
// config.WorkingDir; "" takes it out. A relative one is ErrInvalid: no engine would
// start such an image.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetWorkdir struct{ Dir string }

// Image sets the directory.
func (e SetWorkdir) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error {
		if err := checkRooted(im, e.Dir); e.Dir != "" && err != nil {
			return err
		}
		return setText(c, "WorkingDir", e.Dir)
	})
}

// checkRooted refuses a path that does not begin at the root of an image. On Windows
// it may have a drive.
func checkRooted(im *Image, path string) error {
	if im.Platform.OS == "windows" {
		if len(path) > 2 && path[1] == ':' {
			path = path[2:]
		}
		path = strings.ReplaceAll(path, `\`, "/")
	}
	if !strings.HasPrefix(path, "/") {
		return content.Errorf(content.ErrInvalid, "%q is not an absolute path", path)
	}
	return nil
}

// checkAbsolute is checkRooted where the system is not known: it passes what some may
// take.
func checkAbsolute(path string) error {
	if strings.HasPrefix(path, "/") || strings.HasPrefix(path, `\`) || len(path) > 2 && path[1] == ':' {
		return nil
	}
	return content.Errorf(content.ErrInvalid, "%q is not an absolute path", path)
}

var workdirFlag = Flag{
	Name:  "workdir",
	Usage: "set the directory that it starts in: `DIR` is absolute; \"\" deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		if err := checkAbsolute(value); value != "" && err != nil {
			return nil, err
		}
		return SetWorkdir{value}, checkText(value)
	}),
}
