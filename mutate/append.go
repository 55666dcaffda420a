package mutate

import (
	"context"
	"os"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// Append is a Change that puts layers on top of an image, the first one lowest.
type Append struct {
	Layers []LayerAdd
	// Record says that the image stays, and is recorded as what the result is built on:
	// by its digest, and by Name if that is not "". Else what is recorded stays.
	Record bool
	Name   string
}

// Image implements Change.
func (a Append) Image(ctx context.Context, im *Image) error {
	if !im.IsImage() && im.Index() != nil {
		return nil
	}
	n := len(im.Layers)
	for _, l := range a.Layers {
		if err := l.Image(ctx, im); err != nil {
			return err
		}
	}
	if a.Record && len(im.Layers) > n {
		im.recordBase(a.Name, im.Descriptor.Digest)
	}
	return nil
}

func (a Append) platforms() []content.Platform {
	var all []content.Platform
	for _, l := range a.Layers {
		all = append(all, l.platforms()...)
	}
	return all
}

// Index corrects what an index says of the base of its images.
func (a Append) Index(_ context.Context, ix *Index) error {
	if a.Record {
		ix.recordBase(a.Name, ix.Descriptor.Digest)
	}
	return nil
}

// ParseLayer reads a layer as [ParseLayerAdd] does, or as the path of a tar or of a
// directory. A path that begins like one of the former, such as tar=x, is said with
// "./" in front. "-" is Tar "-", which the caller puts a file in the place of.
func ParseLayer(s string) (LayerAdd, error) {
	if s == "-" {
		return LayerAdd{Tar: s}, nil
	}
	if key, _, ok := strings.Cut(s, "="); ok && isLayerPart(key) {
		return ParseLayerAdd(s)
	}
	info, err := os.Stat(s)
	switch {
	case err != nil:
		return LayerAdd{}, err
	case info.IsDir():
		return LayerAdd{Dir: s}, nil
	case !info.Mode().IsRegular():
		return LayerAdd{}, content.At(s, content.Errorf(content.ErrInvalid, "is neither a file nor a directory"))
	}
	return LayerAdd{Tar: s}, nil
}

// isLayerPart says whether a word is a key of [ParseLayerAdd].
func isLayerPart(key string) bool {
	switch key {
	case "tar", "dir", "dest", "owner", "mode", "platform", "media-type", "digest", "diff-id":
		return true
	}
	return false
}
