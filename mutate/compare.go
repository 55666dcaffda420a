package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A CompareSide is one of two images, indexes or artifacts that are compared, and the
// layout that has it.
type CompareSide struct {
	*layout.Reader
	Target content.Descriptor
}

// CompareOptions say how two images are compared. The zero value takes every
// difference for one.
type CompareOptions struct {
	// Ignore are differences that do not count.
	Ignore Ignored
	// Explain says of layers that stand for each other why their digests differ. They
	// are read once more for that.
	Explain bool
	// Limits bound what is read, and by Tree what the files and the list of their
	// differences take in memory; zero fields mean the defaults.
	Limits content.Limits
}

// A Comparison says how one image, index or artifact differs from another. Its JSON is
// what `diff` prints for two references; the fields are stable. Lists that are not
// marked as optional are never nil.
type Comparison struct {
	Equal   bool     `json:"equal"`
	Ignored []string `json:"ignored,omitempty"`
	ImageDifference
	// Platforms are the images of indexes that differ, or are only in one.
	Platforms []ImageDifference `json:"platforms,omitempty"`
	// SamePlatforms is how many images the indexes have in common.
	SamePlatforms int `json:"samePlatforms,omitempty"`
	// Blobs are those to be moved to make the first the second. They follow from the
	// rest, and do not count for Equal.
	Blobs layout.BlobDifference `json:"blobs"`
}

// An ImageDifference compares two manifests, or what two indexes themselves say.
type ImageDifference struct {
	// Platform is that of the image in an index; "" at the top. Of two images for one
	// platform the second has "#2" behind it.
	Platform string `json:"platform,omitempty"`
	// From and To are what is compared; one is nil if only the other is there.
	From *ComparedContent `json:"from,omitempty"`
	To   *ComparedContent `json:"to,omitempty"`
	// Fields are values in the manifest and config that differ.
	Fields []FieldDifference `json:"fields"`
	// Layers are those that differ, SameLayers how many do not.
	Layers     []LayerDifference `json:"layers,omitempty"`
	SameLayers int               `json:"sameLayers,omitempty"`
	// Files is nil for what has no files.
	Files *FilesDifference `json:"files,omitempty"`
}

// ComparedContent is a manifest or index that was compared. Absent says that the
// layout does not have it, so that no more than its digest is known.
type ComparedContent struct {
	Digest    content.Digest `json:"digest"`
	MediaType string         `json:"mediaType"`
	Size      int64          `json:"size"`
	Absent    bool           `json:"absent,omitempty"`
}

// differs says whether anything was found.
func (d *ImageDifference) differs() bool {
	return (d.From == nil) != (d.To == nil) || len(d.Fields) > 0 || len(d.Layers) > 0 || d.Files != nil && len(d.Files.Changes) > 0
}

// Compare says how the second of two images, indexes or artifacts differs from the
// first. Configs, manifests and annotations are compared by their JSON values, fields
// that nobody here knows too; layers by digest and by what they decompress to; files
// as containers see them. Of indexes each platform is compared with its like. Layers
// that both sides have in full are not read.
//
// What is read is proven. Content that is missing is ErrMissing, but the children of
// a sparse index are compared by their digests. A config with a key twice, in which
// two readers see two things, is ErrCorrupt.
func Compare(ctx context.Context, from, to CompareSide, o CompareOptions) (Comparison, error) {
	c := &comparer{from: from, to: to, o: o}
	c.o.Limits = o.Limits.WithDefaults()
	c.room = c.o.Limits.Tree
	result := Comparison{Ignored: o.Ignore.Words()}
	for _, side := range []CompareSide{from, to} {
		if !content.HasEdges(side.Target.MediaType) {
			return result, content.AtDigest(side.Target.Digest, content.Errorf(content.ErrInvalid, "is no image, index or artifact"))
		}
	}
	held, err := layout.Diff(ctx, from.Reader, to.Reader, layout.DiffOptions{
		From: []content.Descriptor{from.Target}, To: []content.Descriptor{to.Target},
	})
	if err != nil {
		return result, err
	}
	result.Blobs = held.Blobs
	if content.IsIndex(from.Target.MediaType) || content.IsIndex(to.Target.MediaType) {
		err = c.indexes(ctx, &result)
	} else {
		result.ImageDifference, err = c.images(ctx, from.Target, to.Target)
	}
	result.Equal = !result.differs() && len(result.Platforms) == 0
	return result, err
}

// A comparer compares one image, or index, with another.
type comparer struct {
	from, to CompareSide
	o        CompareOptions
	room     int64 // bytes that the list of differences may still take
}

// take makes room for something in the list of differences.
func (c *comparer) take(n int64) error {
	if c.room -= n; c.room < 0 {
		return content.Errorf(content.ErrRefused, "the list of differences takes more than the limit of %d bytes", c.o.Limits.Tree)
	}
	return nil
}

func compared(d content.Descriptor) *ComparedContent {
	return &ComparedContent{Digest: d.Digest, MediaType: d.MediaType, Size: d.Size}
}
