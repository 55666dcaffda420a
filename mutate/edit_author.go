package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetAuthor sets who made the image, in the config's author; "" takes it out. The
// annotation org.opencontainers.image.authors stays.
//
// The config changes, and with it the manifest; history, diffIDs, created, annotations
// and layers stay. Descriptors of what changed get the new digest, and data embedded in
// them goes.
type SetAuthor struct{ Author string }

// Image sets the author.
func (e SetAuthor) Image(_ context.Context, im *Image) error {
	return editConfig(im, func(c *rawjson.Object) error { return setText(c, "author", e.Author) })
}

var authorFlag = Flag{
	Name:  "author",
	Usage: "set who made the image: `TEXT`; \"\" deletes",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		return SetAuthor{value}, checkText(value)
	}),
}
