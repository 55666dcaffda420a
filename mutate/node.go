package mutate

import (
	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// An Index is an image index or manifest list while it is edited, as an Image is.
type Index struct {
	Job *Job
	// Descriptor is as it was found, before all edits.
	Descriptor content.Descriptor
	// Entry is its descriptor in the index that lists it, or in index.json; the engine
	// writes digest, size and mediaType.
	Entry     *rawjson.Object
	MediaType string
	// Manifest has all fields of the index. The engine writes mediaType (if it is
	// there, or MediaType was changed) and manifests.
	Manifest  *rawjson.Object
	Children  []*Child
	Algorithm digest.Algorithm
	// DataMax, if not nil, embeds children of at most so many bytes in their
	// descriptors as data, and removes it from others.
	DataMax *int64

	parent *Index
	loaded indexState
	result *content.Descriptor
}

// A Child is one descriptor of an index, and what it leads to. Both Image and Index
// are nil for what stays as it is: a child that is absent, as in a sparse layout, or
// is a blob, or attests another one (content.IsAttestation).
type Child struct {
	Descriptor content.Descriptor // as it was found
	Entry      *rawjson.Object    // what is written; also Image.Entry or Index.Entry
	Image      *Image
	Index      *Index
}

// Parent is the index that lists this one, nil for the root.
func (ix *Index) Parent() *Index { return ix.parent }

// Result is the descriptor after the edits, as [Image.Result].
func (ix *Index) Result() content.Descriptor {
	if ix.result == nil {
		return ix.Descriptor
	}
	return *ix.result
}

// Result is the child's descriptor after the edits, as [Image.Result].
func (c *Child) Result() content.Descriptor {
	switch {
	case c.Image != nil:
		return c.Image.Result()
	case c.Index != nil:
		return c.Index.Result()
	}
	return c.Descriptor
}
