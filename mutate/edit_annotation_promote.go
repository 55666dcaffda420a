package mutate

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// PromoteAnnotations sets on an index the annotations that all images and indexes in
// it have with equal values. They stay on these; attestations do not count, nor what
// the layout does not have, which is warned of.
//
// The index changes alone: nothing in its children does. An image alone stays as it is.
type PromoteAnnotations struct{}

// Image does nothing: an image has no children.
func (PromoteAnnotations) Image(context.Context, *Image) error { return nil }

// Index sets the annotations.
func (PromoteAnnotations) Index(_ context.Context, ix *Index) error {
	var common []rawjson.Field
	first := true
	for _, c := range ix.Children {
		manifest := c.manifest()
		if manifest == nil {
			if !content.IsAttestation(c.Descriptor) {
				ix.Job.Warn("%s: its annotations are not known, and do not count for those of the index", c.Descriptor.Digest)
			}
			continue
		}
		have, err := textMap(manifest, "annotations")
		if err != nil {
			return content.AtDigest(c.Descriptor.Digest, err)
		}
		if first {
			common, first = have.Fields(), false
			continue
		}
		common = shared(common, have)
	}
	return editMember(ix.Manifest, "annotations", func(annotations *rawjson.Object) error {
		for _, f := range common {
			if !sameText(annotations.Get(f.Key), f.Value) {
				annotations.Set(f.Key, f.Value)
			}
		}
		return nil
	})
}

// manifest is the child's own, nil if it can't be edited.
func (c *Child) manifest() *rawjson.Object {
	switch {
	case c.Image != nil:
		return c.Image.Manifest
	case c.Index != nil:
		return c.Index.Manifest
	}
	return nil
}

// shared are the fields that have the same text in o.
func shared(fields []rawjson.Field, o *rawjson.Object) []rawjson.Field {
	values := map[string]json.RawMessage{}
	for _, f := range o.Fields() {
		values[f.Key] = f.Value
	}
	var both []rawjson.Field
	for _, f := range fields {
		if sameText(f.Value, values[f.Key]) {
			both = append(both, f)
		}
	}
	return both
}

// sameText says whether two values are there and say the same text.
func sameText(a, b json.RawMessage) bool {
	if a == nil || b == nil {
		return false
	}
	var s, t string
	return bytes.Equal(a, b) || json.Unmarshal(a, &s) == nil && json.Unmarshal(b, &t) == nil && s == t
}

var annotationPromoteFlag = Flag{
	Name:  "annotation-promote",
	Usage: "set on an index the annotations that all its images have",
	Bare:  true,
	Parse: bare(Selector{All: true}, PromoteAnnotations{}),
}
