package mutate

import (
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// An Image is one manifest with its config while it is edited. A manifest that an
// index lists twice is two images, since their entries may differ.
//
// Changes edit JSON by value: Manifest, Config, ConfigEntry and Entry keep what they
// do not know. A value taken from one of them must not be changed in place.
type Image struct {
	Job *Job
	// Descriptor is the manifest's as it was found, before all edits.
	Descriptor content.Descriptor
	// Platform is that of the entry, else that of the config; zero if neither has one.
	Platform content.Platform
	// Entry is the manifest's descriptor in the index that lists it, or in index.json:
	// platform, annotations and so on. Digest, size and mediaType are written by the
	// engine.
	Entry *rawjson.Object
	// MediaType is the manifest's; it goes to the entry too.
	MediaType string
	// Manifest has all fields of the manifest. The engine writes mediaType (if it is
	// there, or MediaType was changed), config and layers.
	Manifest *rawjson.Object
	// ConfigEntry is the config's descriptor in the manifest. Its mediaType may be
	// changed; digest and size are the engine's.
	ConfigEntry *rawjson.Object
	// Config has all fields of the config. The engine writes rootfs.diff_ids and
	// history. It is nil where the config is no image's: then only Manifest, Entry and
	// the descriptors can be edited.
	Config *rawjson.Object
	// Layers are the layers, lowest first. Use AddLayer and RemoveLayer, or set it,
	// and History with it.
	Layers []*Layer
	// History is nil where the config has none; entries and layers need not match.
	History []*History
	// Algorithm names the blobs that are written for this image: manifest, config and
	// layers. Zero leaves the algorithm of each as it is.
	Algorithm digest.Algorithm
	// DataMax, if not nil, embeds config and layers of at most so many bytes in their
	// descriptors as data, and removes it from larger ones. In any case data goes
	// from the descriptor of what has changed.
	DataMax *int64

	parent *Index
	loaded imageState
	// bereft says that layers may link to files of one that was taken out below them.
	bereft bool
	result *content.Descriptor
}

// A History is an entry of the config's history. The engine writes its
// empty_layer: true where Layer is nil, absent elsewhere.
type History struct {
	Raw   *rawjson.Object
	Layer *Layer
	// stray is set for an entry that says it has a layer though none is left for it.
	stray bool
}

// NewHistory makes an entry without a layer.
func NewHistory() *History { return &History{Raw: &rawjson.Object{}} }

// IsImage says whether the config is an image's, so that there is a Config.
func (im *Image) IsImage() bool { return im.Config != nil }

// Index is the index that lists the image, nil for the root.
func (im *Image) Index() *Index { return im.parent }

// Result is the manifest's descriptor after the edits: digest, size and media type.
// It is known after Apply.
func (im *Image) Result() content.Descriptor {
	if im.result == nil {
		return im.Descriptor
	}
	return *im.result
}

// RemoveLayer takes out a layer. Its history entry stays, marked as empty.
func (im *Image) RemoveLayer(l *Layer) {
	im.Layers = slices.DeleteFunc(slices.Clone(im.Layers), func(other *Layer) bool { return other == l })
	for _, h := range im.History {
		if h.Layer == l {
			h.Layer = nil
		}
	}
}

// AddLayer puts a layer on top. If the image keeps history, or has no layers yet,
// h becomes its entry; a nil h is one without any text.
func (im *Image) AddLayer(l *Layer, h *History) {
	keeps := im.History != nil || len(im.Layers) == 0
	im.Layers = append(slices.Clone(im.Layers), l)
	if !keeps || im.Config == nil {
		return
	}
	if h == nil {
		h = NewHistory()
	}
	h.Layer = l
	im.History = append(im.History, h)
}
