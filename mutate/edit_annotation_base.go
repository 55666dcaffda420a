package mutate

import (
	"context"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// AnnotateBase notes what an image was built on, in the annotations
// org.opencontainers.image.base.name and base.digest of manifests and indexes. That it
// is so is not looked at.
//
// The manifest changes alone: config, history, diffIDs, created and layers stay.
// Descriptors of what changed get the new digest, and data embedded in them goes.
type AnnotateBase struct {
	Name   string
	Digest content.Digest
}

// Image notes the base of an image.
func (e AnnotateBase) Image(ctx context.Context, im *Image) error {
	for _, a := range e.annotations() {
		if err := a.Image(ctx, im); err != nil {
			return err
		}
	}
	return nil
}

// Index notes the base of an index.
func (e AnnotateBase) Index(ctx context.Context, ix *Index) error {
	for _, a := range e.annotations() {
		if err := a.Index(ctx, ix); err != nil {
			return err
		}
	}
	return nil
}

func (e AnnotateBase) annotations() []SetAnnotation {
	return []SetAnnotation{
		{ocispec.AnnotationBaseImageName, e.Name},
		{ocispec.AnnotationBaseImageDigest, e.Digest.String()},
	}
}

var annotationBaseFlag = Flag{
	Name:  "annotation-base",
	Usage: "note what it was built on: `REF` in a layout, or NAME,DIGEST as it is",
	Parse: func(value string, env FlagEnv) (Edit, error) {
		on, rest, err := ParseSelector(value)
		if err != nil {
			return Edit{}, err
		}
		if len(on.Platforms) == 0 {
			on.All = true
		}
		base, err := parseBase(rest, env)
		return Edit{On: on, Change: base}, err
	},
}

// parseBase reads NAME,DIGEST, which are taken as they are, or else finds a reference
// and takes the name of its entry.
func parseBase(value string, env FlagEnv) (AnnotateBase, error) {
	if name, text, ok := strings.Cut(value, ","); ok {
		d := content.Digest(text)
		if err := content.CheckDigest(d); err != nil {
			return AnnotateBase{}, err
		}
		if name == "" {
			return AnnotateBase{}, content.Errorf(content.ErrInvalid, "%q: want NAME,DIGEST", value)
		}
		return AnnotateBase{name, d}, checkText(name)
	}
	base, err := env.base(value)
	if err != nil {
		return AnnotateBase{}, err
	}
	found := base.Descriptor
	name := layout.Entry{Descriptor: found}.Name()
	if name == "" {
		return AnnotateBase{}, content.Errorf(content.ErrInvalid, "%s has no name: say NAME,%s", value, found.Digest)
	}
	return AnnotateBase{name, found.Digest}, nil
}
