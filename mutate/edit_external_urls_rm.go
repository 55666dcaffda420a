package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
)

// RemoveURLs takes out the urls of layers, from which others may fetch them, and gives
// foreign layers that had some the media type of a common one. A layer with urls whose
// bytes are not in the layout is ErrMissing: they are needed first.
//
// The manifest changes alone: config, history, diffIDs, created, annotations and layers
// stay. Descriptors of what changed get the new digest, and data embedded in them goes.
type RemoveURLs struct{}

// Image takes out the urls.
func (RemoveURLs) Image(ctx context.Context, im *Image) error {
	for _, l := range im.Layers {
		if !isSet(l.Raw.Get("urls")) {
			continue
		}
		if source, ok := im.Job.Source.(content.Exister); ok {
			there, err := source.Exists(ctx, l.Descriptor)
			if err != nil {
				return err
			}
			if !there {
				return content.AtDigest(l.Descriptor.Digest, content.Errorf(content.ErrMissing, "layer is not in the layout, and its urls are all there is of it"))
			}
		}
		l.Raw.Delete("urls")
		l.MediaType = distributable(l.MediaType)
	}
	return nil
}

var externalURLsRmFlag = Flag{
	Name:  "external-urls-rm",
	Usage: "delete the urls of layers, and make foreign layers common ones; their bytes must be here",
	Bare:  true,
	Parse: bare(Selector{}, RemoveURLs{}),
}
