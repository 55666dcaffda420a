package mutate

import "context"

// ToOCI gives manifests, indexes, configs and layers the media types of OCI where they
// have docker's. Nothing is lost: what docker's types mean OCI's mean too. Media types
// that are neither stay, and so do children that the layout does not have.
//
// Manifests and indexes change alone: config, history, diffIDs, created, annotations
// and layers keep their bytes, and data that is embedded in the manifest stays. In a
// parent index digest and media type are the new ones, and data of the old bytes goes.
type ToOCI struct{}

// Image converts an image.
func (ToOCI) Image(_ context.Context, im *Image) error {
	im.MediaType = toOCI(im.MediaType)
	setString(im.ConfigEntry, "mediaType", toOCI(im.ConfigEntry.GetString("mediaType")))
	for _, l := range im.Layers {
		l.MediaType = toOCI(l.MediaType)
	}
	return nil
}

// Index converts an index.
func (ToOCI) Index(_ context.Context, ix *Index) error {
	ix.MediaType = toOCI(ix.MediaType)
	for _, c := range ix.Children {
		if c.manifest() == nil && toOCI(c.Descriptor.MediaType) != c.Descriptor.MediaType {
			ix.Job.Warn("%s is not in the layout, and keeps its media type", c.Descriptor.Digest)
		}
	}
	return nil
}

var toOCIFlag = Flag{
	Name:  "to-oci",
	Usage: "convert docker's media types to OCI's",
	Bare:  true,
	Parse: bare(Selector{All: true}, ToOCI{}),
}
