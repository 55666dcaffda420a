package mutate

import (
	"context"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Options say how Apply works; the zero value is right.
type Options struct {
	// Source is what the images are read from; nil is the batch, which has its layout.
	// Another one must have the same content: blobs that stay are not copied.
	Source content.Fetcher
	Limits content.Limits
}

// Apply runs the edits on what root leads to, and stages what comes out of it in b.
// Nothing is named, and nothing durable, until Save. On an error the batch holds
// blobs that are of no use, and the caller closes it.
//
// Each source layer that an edit touches is read once and proven meanwhile, digest and
// diffID; once more if it turns out that a hard link leads to a file that an edit drops.
// Layers that no edit touches are not read, unless one below them goes (LayerRemove);
// all that root leads to is kept from gc until b is closed. Without edits, or with edits
// that change nothing, the report's Entry is root.
func Apply(ctx context.Context, b *layout.Batch, root layout.Entry, edits []Edit, o Options) (*Report, error) {
	job := &Job{Source: o.Source, Batch: b, Limits: o.Limits.WithDefaults(), Report: &Report{Old: root.Digest, Images: []ImageReport{}, Layers: []LayerReport{}}, spelled: spellings{}}
	if job.Source == nil {
		job.Source = b
	}
	tree, err := loadTree(ctx, job, root)
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		for _, p := range e.platforms() {
			if !tree.has(p) {
				job.Warn("no image is for %s, so an edit did nothing there", content.FormatPlatform(p))
			}
		}
		if err := tree.edit(ctx, e); err != nil {
			return nil, err
		}
	}
	if err := job.layers(ctx, tree); err != nil {
		return nil, err
	}
	if err := tree.write(ctx); err != nil {
		return nil, err
	}
	return job.report(tree)
}

// platforms are those to which the selector limits the edit, and its own layers.
func (e Edit) platforms() []content.Platform {
	if limited, ok := e.Change.(interface{ platforms() []content.Platform }); ok {
		return slices.Concat(e.On.Platforms, limited.platforms())
	}
	return e.On.Platforms
}

// edit runs one edit on the images below c, and then on the indexes above them.
func (c *Child) edit(ctx context.Context, e Edit) error {
	switch {
	case c.Image != nil:
		if !e.On.image(c.Image.Platform) {
			return nil
		}
		return content.AtDigest(c.Descriptor.Digest, e.Change.Image(ctx, c.Image))
	case c.Index == nil:
		return nil
	}
	for _, child := range c.Index.Children {
		if err := child.edit(ctx, e); err != nil {
			return err
		}
	}
	if change, ok := e.Change.(IndexChange); ok && e.On.All {
		return content.AtDigest(c.Descriptor.Digest, change.Index(ctx, c.Index))
	}
	return nil
}

// has says whether there is an image for p below c.
func (c *Child) has(p content.Platform) bool {
	if c.Image != nil {
		return content.MatchPlatform(p, c.Image.Platform)
	}
	return c.Index != nil && slices.ContainsFunc(c.Index.Children, func(child *Child) bool { return child.has(p) })
}
