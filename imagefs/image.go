package imagefs

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
)

// Choose finds the image whose files are meant where no platform was named: d
// itself if it is a manifest; of an index the image for linux/amd64, or else the
// first one that f has, never the one for this machine. There is none: ErrNotFound.
// others are the images of the index that it might have been.
func Choose(ctx context.Context, f content.Fetcher, d content.Descriptor, limits content.Limits) (chosen content.Descriptor, others int, err error) {
	if !content.IsIndex(d.MediaType) {
		return d, 0, nil
	}
	c := chooser{fetch: f, limits: limits.WithDefaults()}
	if err := c.index(ctx, d, 0); err != nil {
		return d, 0, err
	}
	if len(c.images) == 0 {
		return d, 0, content.AtDigest(d.Digest, content.Errorf(content.ErrNotFound, "none of the index's images is there"))
	}
	chosen = c.images[0]
	for _, image := range c.images {
		if content.MatchPlatform(content.Platform{OS: "linux", Architecture: "amd64"}, *image.Platform) {
			chosen = image
			break
		}
	}
	return chosen, len(c.images) - 1, nil
}

type chooser struct {
	fetch  content.Fetcher
	limits content.Limits
	seen   int
	images []content.Descriptor // that are there, with their platforms
}

func (c *chooser) index(ctx context.Context, d content.Descriptor, depth int) error {
	if depth > c.limits.Depth {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest deeper than %d", c.limits.Depth))
	}
	m, _, err := content.FetchManifest(ctx, c.fetch, d, c.limits)
	if err != nil {
		return err
	}
	for _, child := range m.Manifests {
		if c.seen++; c.seen > maxChildren {
			return content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "more than %d manifests in one index", maxChildren))
		}
		switch {
		case !content.HasEdges(child.MediaType) || content.IsAttestation(child):
			continue
		case content.IsIndex(child.MediaType):
			err = c.index(ctx, child, depth+1)
		default:
			err = c.manifest(ctx, child)
		}
		if err != nil && !errors.Is(err, content.ErrNotFound) { // what is not here can't be chosen
			return err
		}
	}
	return nil
}

// maxChildren is how many manifests are looked at: indexes can name each other's
// children so often that a few kilobytes hold more than fits anywhere.
const maxChildren = 10_000

func (c *chooser) manifest(ctx context.Context, d content.Descriptor) error {
	platform, err := content.PlatformOf(ctx, c.fetch, d, c.limits)
	if err != nil || platform == nil {
		return err
	}
	if d.Platform == nil {
		d.Platform = platform
	}
	c.images = append(c.images, d)
	return nil
}

// LayersOf reads the layers of an image from its manifest, the lowest first. They
// have no DiffID: the config is not read. What is no image is ErrUnsupported.
func LayersOf(ctx context.Context, f content.Fetcher, image content.Descriptor, limits content.Limits) ([]Layer, error) {
	m, _, err := content.FetchManifest(ctx, f, image, limits.WithDefaults())
	if err != nil {
		return nil, err
	}
	if !m.IsImage() {
		return nil, content.AtDigest(image.Digest, content.Errorf(content.ErrUnsupported, "is no image and has no files"))
	}
	layers := make([]Layer, len(m.Layers))
	for i, l := range m.Layers {
		layers[i].Descriptor = l
	}
	return layers, nil
}
