package mutate

import (
	"context"
	"regexp"
	"slices"
	"strconv"

	"github.com/ocilayout/ocilayout/content"
)

// LayerRemove takes out a layer by its number, from 1 as the layers were before all
// edits. Its history entry stays, marked as empty, with its time; its diffID goes. The
// blob stays in the layout until gc. An image without such a layer is ErrNotFound.
//
// Other layers are not read: whiteouts of its files stay in them, and so do hard links to
// its files, which then lead nowhere, so that no engine unpacks the image. What is
// recorded of a base stays too.
type LayerRemove struct{ Number int }

// Image implements Change.
func (c LayerRemove) Image(_ context.Context, im *Image) error {
	i := slices.IndexFunc(im.Layers, func(l *Layer) bool { return l.Number == c.Number })
	if i < 0 || c.Number == 0 {
		return content.Errorf(content.ErrNotFound, "image has no layer %d", c.Number)
	}
	im.RemoveLayer(im.Layers[i])
	return nil
}

// LayerRemoveCreatedBy takes out the layers whose history entry says that they were
// created by something that fits, as LayerRemove does. An image without one gets a
// warning.
type LayerRemoveCreatedBy struct{ Regexp *regexp.Regexp }

// Image implements Change.
func (c LayerRemoveCreatedBy) Image(_ context.Context, im *Image) error {
	found := false
	for _, h := range im.History {
		if h.Layer != nil && c.Regexp.MatchString(h.Raw.GetString("created_by")) {
			im.RemoveLayer(h.Layer)
			found = true
		}
	}
	if !found {
		im.Job.Warn("%s: no layer was created by what fits %q", im.Descriptor.Digest, c.Regexp)
	}
	return nil
}

func layerRemoveFlags() []Flag {
	return []Flag{
		{Name: "layer-rm", Usage: "take out layer `N`, from 1", Parse: selected(func(value string, _ FlagEnv) (Change, error) {
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return nil, content.Errorf(content.ErrInvalid, "%q is no number of a layer: they count from 1", value)
			}
			return LayerRemove{n}, nil
		})},
		{Name: "layer-rm-created-by", Usage: "take out layers whose created_by in the history fits the regular expression `RE`", Parse: selected(func(value string, _ FlagEnv) (Change, error) {
			re, err := regexp.Compile(value)
			if err != nil {
				return nil, content.Errorf(content.ErrInvalid, "%q is no regular expression: %v", value, err)
			}
			return LayerRemoveCreatedBy{re}, nil
		})},
	}
}
