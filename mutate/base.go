package mutate

import (
	"context"
	"errors"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// A Base is an image that others are built on, or an index of such images.
type Base struct {
	Fetch      content.Fetcher
	Descriptor content.Descriptor
	Name       string // what it is called; may be empty
}

// A BaseFinder finds a base by what annotations say of it: by digest if that is not
// "", else by name. What is nowhere to be found is ErrNotFound.
type BaseFinder func(ctx context.Context, name string, digest content.Digest) (Base, error)

// baseImage is the base for one platform.
type baseImage struct {
	Base                 // its Descriptor is the manifest's
	whole content.Digest // of the index that it may be from
	im    *Image
}

// recordedBase is what an image, its entry, or the indexes above it say of its base
// (image-spec annotations.md): the nearest that say anything.
func (im *Image) recordedBase() (name string, digest content.Digest) {
	said := func(o *rawjson.Object) bool {
		a := annotationsOf(o)
		name, digest = a.GetString(ocispec.AnnotationBaseImageName), content.Digest(a.GetString(ocispec.AnnotationBaseImageDigest))
		return name != "" || digest != ""
	}
	if said(im.Manifest) || said(im.Entry) {
		return name, digest
	}
	for ix := im.parent; ix != nil; ix = ix.parent {
		if said(ix.Manifest) || said(ix.Entry) {
			break
		}
	}
	return name, digest
}

// annotationsOf are the annotations of a manifest or descriptor; a change to what it
// returns is not one of o.
func annotationsOf(o *rawjson.Object) *rawjson.Object {
	if a, err := rawjson.Parse(o.Get("annotations")); err == nil {
		return a
	}
	return &rawjson.Object{}
}

// setAnnotation sets an annotation of a manifest or descriptor, or removes it if
// value is "".
func setAnnotation(o *rawjson.Object, key, value string) {
	a := annotationsOf(o)
	switch {
	case value == a.GetString(key) && (value != "" || a.Get(key) == nil):
		return
	case value != "":
		a.SetString(key, value)
	default:
		a.Delete(key)
	}
	if a.Len() == 0 {
		o.Delete("annotations")
		return
	}
	o.Set("annotations", a.Bytes())
}

// recordBase notes in the manifest, and in its entry where that said something else,
// what the image is built on; "" and "" removes what is there. Docker's manifests
// have no annotations.
func (im *Image) recordBase(name string, digest content.Digest) {
	if im.MediaType != content.DockerManifest {
		setBase(im.Manifest, name, digest)
	}
	correctBase(im.Entry, name, digest)
}

// recordBase notes what the images of the index are built on where it said something
// about that.
func (ix *Index) recordBase(name string, digest content.Digest) {
	correctBase(ix.Manifest, name, digest)
	correctBase(ix.Entry, name, digest)
}

func correctBase(o *rawjson.Object, name string, digest content.Digest) {
	a := annotationsOf(o)
	if a.Get(ocispec.AnnotationBaseImageName) != nil || a.Get(ocispec.AnnotationBaseImageDigest) != nil {
		setBase(o, name, digest)
	}
}

func setBase(o *rawjson.Object, name string, digest content.Digest) {
	setAnnotation(o, ocispec.AnnotationBaseImageName, name)
	setAnnotation(o, ocispec.AnnotationBaseImageDigest, digest.String())
}

// findBase finds the base that the annotations of an image name. There are none:
// ErrNotFound.
func (im *Image) findBase(ctx context.Context, find BaseFinder) (Base, error) {
	name, digest := im.recordedBase()
	if name == "" && digest == "" {
		return Base{}, content.Errorf(content.ErrNotFound, "has no annotation %s or %s that names its base",
			ocispec.AnnotationBaseImageDigest, ocispec.AnnotationBaseImageName)
	}
	if digest != "" {
		if err := content.CheckDigest(digest); err != nil {
			return Base{}, content.At(ocispec.AnnotationBaseImageDigest, content.Errorf(content.ErrCorrupt, "%v", err))
		}
	}
	return find(ctx, name, digest)
}

// image reads the base of an image for a platform.
func (b Base) image(ctx context.Context, p content.Platform, limits content.Limits) (*baseImage, error) {
	d := b.Descriptor
	if content.IsIndex(d.MediaType) || p.OS != "" {
		var err error
		if d, err = content.SelectPlatform(ctx, b.Fetch, d, p, limits); err != nil {
			return nil, content.At("base", err)
		}
	}
	raw, err := rawjson.Marshal(d)
	if err != nil {
		return nil, err
	}
	job := &Job{Source: b.Fetch, Limits: limits, Report: &Report{}, spelled: spellings{}}
	c, err := (&loader{job: job, seen: map[content.Digest][]byte{}}).child(ctx, raw, nil, 0)
	switch {
	case errors.Is(err, content.ErrNotFound):
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrMissing, "the base is not all there: %w", err))
	case err != nil:
		return nil, err
	case c.Image == nil || !c.Image.IsImage():
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrUnsupported, "is no image that others can be built on"))
	}
	whole := b.Descriptor.Digest
	b.Descriptor = d
	return &baseImage{b, whole, c.Image}, nil
}

// checkPrefix says whether the layers of an image begin with those of its base: the
// same blobs, or others that decompress to the same tars. The first that differs is
// named in the ErrRefused.
func (b *baseImage) checkPrefix(im *Image) error {
	for i, l := range b.im.Layers {
		if i == len(im.Layers) {
			return content.Errorf(content.ErrRefused, "is not built on %s: that has a layer %d, %s, and this image only %d layers",
				b.label(), i+1, l.Descriptor.Digest, i)
		}
		if is := im.Layers[i]; !sameLayer(is, l) {
			return content.Errorf(content.ErrRefused, "is not built on %s: layer %d is %s here and %s there",
				b.label(), i+1, is.Descriptor.Digest, l.Descriptor.Digest)
		}
	}
	return nil
}

func sameLayer(a, b *Layer) bool {
	return a.Descriptor.Digest == b.Descriptor.Digest || a.DiffID != "" && a.DiffID == b.DiffID
}

// label names a base for people.
func (b Base) label() string {
	if b.Name != "" {
		return b.Name
	}
	return b.Descriptor.Digest.String()
}

// FindBase finds bases in layouts, in the first one that has what is asked for.
func FindBase(layouts ...*layout.Reader) BaseFinder {
	return func(ctx context.Context, name string, digest content.Digest) (Base, error) {
		ref := layout.Reference{Digest: digest}
		if digest == "" {
			ref.Name = name
		}
		for _, l := range layouts {
			e, err := l.Lookup(ctx, ref)
			if err == nil || !errors.Is(err, content.ErrNotFound) {
				return Base{Fetch: l, Descriptor: e.Descriptor, Name: name}, err
			}
		}
		return Base{}, content.Errorf(content.ErrNotFound, "%s is not in the layout", strings.TrimSuffix(name+"@"+digest.String(), "@"))
	}
}
