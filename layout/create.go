package layout

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// Create makes an image from scratch, without layers, and names it: of one
// platform a manifest, of several an index. The same platforms give the same
// digest anywhere; one that is given twice is ErrInvalid. Names are normalised as Tx.Tag does it.
func (l *Layout) Create(ctx context.Context, name string, platforms []content.Platform, p Policy) (Change, error) {
	if len(platforms) == 0 {
		return Change{}, content.Errorf(content.ErrInvalid, "an image needs a platform")
	}
	if err := CheckName(name); err != nil {
		return Change{}, err
	}
	for i, p := range platforms {
		if slices.ContainsFunc(platforms[:i], func(q content.Platform) bool { return content.FormatPlatform(q) == content.FormatPlatform(p) }) {
			return Change{}, content.Errorf(content.ErrInvalid, "two images for %s", content.FormatPlatform(p))
		}
	}
	var images []content.Descriptor
	for _, platform := range platforms {
		image, err := l.emptyImage(ctx, content.NormalizePlatform(platform))
		if err != nil {
			return Change{}, err
		}
		images = append(images, image)
	}
	root := images[0]
	if len(images) > 1 {
		var err error
		root, err = l.pushJSON(ctx, ocispec.MediaTypeImageIndex, ocispec.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: images,
		})
		if err != nil {
			return Change{}, err
		}
	}
	var change Change
	err := l.Update(ctx, func(tx *Tx) (err error) {
		change, err = tx.Tag(NewEntry(root), name, p)
		return err
	})
	return change, err
}

// emptyImage stores an image without layers.
func (l *Layout) emptyImage(ctx context.Context, p content.Platform) (content.Descriptor, error) {
	config, err := l.pushJSON(ctx, ocispec.MediaTypeImageConfig, ocispec.Image{
		Platform: p, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}},
	})
	if err != nil {
		return config, err
	}
	image, err := l.pushJSON(ctx, ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: []content.Descriptor{},
	})
	image.Platform = &p
	return image, err
}

func (l *Layout) pushJSON(ctx context.Context, mediaType string, v any) (content.Descriptor, error) {
	data, err := rawjson.Marshal(v)
	if err != nil {
		return content.Descriptor{}, err
	}
	return l.PushBytes(ctx, mediaType, data)
}
