package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// LabelsToAnnotations sets each label of the config as an annotation of the manifest
// too. Other annotations stay, and the labels.
//
// The manifest changes alone: config, history, diffIDs, created and layers stay.
// Descriptors of what changed get the new digest, and data embedded in them goes.
type LabelsToAnnotations struct{}

// Image sets the annotations.
func (LabelsToAnnotations) Image(_ context.Context, im *Image) error {
	return editRuntime(im, func(c *rawjson.Object) error {
		labels, err := textMap(c, "Labels")
		if err != nil || labels.Len() == 0 {
			return err
		}
		return editMember(im.Manifest, "annotations", func(annotations *rawjson.Object) error {
			for _, f := range labels.Fields() {
				if !sameText(annotations.Get(f.Key), f.Value) {
					annotations.Set(f.Key, f.Value)
				}
			}
			return nil
		})
	})
}

var labelToAnnotationFlag = Flag{
	Name:  "label-to-annotation",
	Usage: "set the labels of the config as annotations of the manifest too",
	Bare:  true,
	Parse: bare(Selector{}, LabelsToAnnotations{}),
}
