package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// SetAnnotation sets an annotation of the manifest, and where the selector has indexes
// ("[*]") of those too; an empty value takes it out. Annotations of entries in an
// index stay as they are.
//
// The manifest changes alone: config, history, diffIDs, created and layers stay.
// Descriptors of what changed get the new digest, and data embedded in them goes.
type SetAnnotation struct{ Key, Value string }

// Image sets the annotation of a manifest.
func (e SetAnnotation) Image(_ context.Context, im *Image) error { return e.set(im.Manifest) }

// Index sets the annotation of an index.
func (e SetAnnotation) Index(_ context.Context, ix *Index) error { return e.set(ix.Manifest) }

func (e SetAnnotation) set(manifest *rawjson.Object) error {
	return editMember(manifest, "annotations", func(annotations *rawjson.Object) error {
		setExact(annotations, e.Key, e.Value)
		return nil
	})
}

var annotationFlag = Flag{
	Name:  "annotation",
	Usage: "set an annotation of the manifest: `KEY=VALUE`; an empty value deletes; [*] in front is the index and all in it",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		key, text, err := cutPair(value)
		return SetAnnotation{key, text}, err
	}),
}
