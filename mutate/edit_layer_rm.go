package mutate

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// LayerRemove takes out a layer by its number, from 1 as the layers were before all
// edits. Its history entry stays, marked as empty, with its time; its diffID goes. The
// blob stays in the layout until gc. An image without such a layer is ErrNotFound.
//
// Whiteouts of its files stay in the layers above. If there are any, all that are left
// are read, since a hard link to one of its files would lead nowhere, and no engine
// would unpack the image: that is ErrCorrupt. Layers that are absent or of unknown form
// can't be looked at, which is a warning. What is recorded of a base stays.
type LayerRemove struct{ Number int }

// Image implements Change.
func (c LayerRemove) Image(_ context.Context, im *Image) error {
	i := slices.IndexFunc(im.Layers, func(l *Layer) bool { return l.Number == c.Number })
	if i < 0 || c.Number == 0 {
		return content.Errorf(content.ErrNotFound, "image has no layer %d", c.Number)
	}
	im.takeOut(im.Layers[i])
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
			im.takeOut(h.Layer)
			found = true
		}
	}
	if !found {
		im.Job.Warn("%s: no layer was created by what fits %q", im.Descriptor.Digest, c.Regexp)
	}
	return nil
}

// takeOut removes a layer, and has the links of those above looked at.
func (im *Image) takeOut(l *Layer) {
	im.bereft = im.bereft || l != im.Layers[len(im.Layers)-1]
	im.RemoveLayer(l)
}

// checkLinks holds that no hard link leads to a file that is not there any more.
func (im *Image) checkLinks(ctx context.Context, layers []imagefs.Layer) error {
	if !im.bereft {
		return nil
	}
	_, err := imagefs.Build(ctx, im.Job.Batch, layers, im.Job.Limits)
	if errors.Is(err, content.ErrMissing) || errors.Is(err, content.ErrUnsupported) {
		im.Job.Warn("%s: whether layers link to files of one that was taken out can't be said: %v", im.Descriptor.Digest, err)
		return nil
	}
	return err
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
