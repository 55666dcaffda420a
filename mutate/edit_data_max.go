package mutate

import (
	"context"
	"strconv"

	"github.com/ocilayout/ocilayout/content"
)

// EmbedData embeds every config, layer and child of an index of at most Max bytes in
// its descriptor, as data (image-spec descriptor.md, "Embedded Content"), and takes
// the data out of the descriptors of larger ones. With Max 0 all go. The blobs stay.
//
// Manifests and indexes change alone: config, history, diffIDs, created, annotations
// and layers stay. A manifest that would be larger than registries take is the
// caller's to avoid.
type EmbedData struct{ Max int64 }

// Image has the descriptors in a manifest written so.
func (e EmbedData) Image(_ context.Context, im *Image) error {
	im.DataMax = &e.Max
	return nil
}

// Index has the descriptors in an index written so.
func (e EmbedData) Index(_ context.Context, ix *Index) error {
	ix.DataMax = &e.Max
	return nil
}

var dataMaxFlag = Flag{
	Name:  "data-max",
	Usage: "embed blobs of at most `N` bytes in their descriptors, and no larger ones; 0 takes all out",
	Parse: func(value string, _ FlagEnv) (Edit, error) {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return Edit{}, content.Errorf(content.ErrInvalid, "%q is no number of bytes", value)
		}
		return Edit{On: Selector{All: true}, Change: EmbedData{n}}, nil
	},
}
