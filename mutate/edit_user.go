package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetUser sets the user, and after a colon the group, that containers run as, in the
// config's config.User; "" takes it out. Whether the image has such a user is not
// looked at.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetUser struct{ User string }

// Image sets the user.
func (e SetUser) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error { return setText(c, "User", e.User) })
}

var userFlag = Flag{
	Name:  "user",
	Usage: "set who runs it: `USER` is a name or number, with :GROUP or without; \"\" deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		return SetUser{value}, checkText(value)
	}),
}
