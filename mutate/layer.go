package mutate

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// A Layer is one layer of an image while it is edited. What it becomes is worked out
// when all edits have run: then its source is read once.
type Layer struct {
	// Number is its place in the image as it was found, from 1; 0 if it was added.
	Number int
	// Descriptor is as it was found. For an added layer whose bytes are not read it
	// is what the caller knows; for another one it has no digest.
	Descriptor content.Descriptor
	// Raw is the descriptor by value. The engine writes mediaType, digest and size;
	// of a layer whose bytes change it takes out data, urls, and annotations that
	// describe the old bytes.
	Raw *rawjson.Object
	// MediaType is the layer's. A change may set it to that of another family (OCI,
	// docker, foreign); where the form changes, the engine sets its compression.
	MediaType string
	// DiffID is the digest of the plain tar as the config gives it; "" if not known.
	DiffID content.Digest

	form  *Form
	steps []Step
	open  func(ctx context.Context) (io.ReadCloser, error) // plain or compressed tar of an added layer
	// openKey tells sources of added layers apart.
	openKey string
	// file is what an added layer comes from, for errors; "" where it has no name.
	file   string
	result *layerResult
	marks  *marks               // of a layer of whiteouts
	lists  map[string]lowerFile // the directories of a layer that an edit makes
}

// NewLayer makes a layer of a tar, plain or compressed, that open reads; it is
// stored in form f, with the bytes that it has if it has that form and no step changes
// it. The zero Form is gzip or zstd if it is that, else gzip. key tells the content from that of other sources of the same
// Apply: two layers of one key are read once.
func NewLayer(key, mediaType string, f Form, open func(ctx context.Context) (io.ReadCloser, error)) *Layer {
	return &Layer{Raw: &rawjson.Object{}, MediaType: mediaType, form: &f, open: open, openKey: key}
}

// KnownLayer makes a layer that is not read unless a step must: desc has its digest,
// size and media type. It must be in the layout, unless it is foreign.
func KnownLayer(desc content.Descriptor, diffID content.Digest) (*Layer, error) {
	raw, err := descriptorObject(desc)
	if err != nil {
		return nil, err
	}
	return &Layer{Descriptor: desc, Raw: raw, MediaType: desc.MediaType, DiffID: diffID}, nil
}

// at puts an address before what went wrong with the layer: its digest, or of an added one
// its file, unless that was not to be opened, which says so itself.
func (l *Layer) at(err error) error {
	var opening *fs.PathError
	if err == nil || l.file == "" || errors.As(err, &opening) {
		return content.AtDigest(l.Descriptor.Digest, err)
	}
	return content.At(l.file, err)
}

// Do queues a step for the one pass over the layer.
func (l *Layer) Do(s Step) { l.steps = append(l.steps, s) }

// Recompress says in which form the layer is stored. A layer that has the form
// already stays as it is, unless a level is asked for.
func (l *Layer) Recompress(f Form) { l.form = &f }

// Touched says whether the layer has steps, or a form that was asked for.
func (l *Layer) Touched() bool { return len(l.steps) > 0 || l.form != nil || l.open != nil }

// IsTar says whether the layer is one whose tar can be read, by its media type.
func (l *Layer) IsTar() bool { return content.IsLayer(l.MediaType) }
