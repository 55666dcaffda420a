// Package docker reads and writes manifest.json, the table of contents of the
// archives of docker save: which images an archive holds, under which names, and
// which of its members are their configs and layers.
package docker

import (
	"encoding/json"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// ManifestName is the member that holds the manifest, RepositoriesName the one
// that was all there was before Docker 1.10: it names layers, not images.
const (
	ManifestName     = "manifest.json"
	RepositoriesName = "repositories"
)

// An Image is one element of manifest.json. Config and Layers are names of
// members of the same archive, the lowest layer first.
type Image struct {
	Config string `json:"Config"`
	// RepoTags are names such as "app:latest"; an image may have none.
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
	// LayerSources gives the descriptors of layers that are not plain tars, by
	// their diffIDs, and of foreign ones. It is written if there is any, and read
	// for nothing.
	LayerSources map[content.Digest]content.Descriptor `json:"LayerSources,omitempty"`
}

// The bounds of one manifest.json beyond the size of its bytes. Docker stops at
// 127 layers.
const (
	maxImages = 1 << 20
	maxLayers = 4096
	maxTags   = 1 << 16
	maxName   = 4096 // bytes
	maxDepth  = 8    // of nested values
)

// Parse reads manifest.json. What is not JSON, or not of its shape, is
// content.ErrCorrupt: an image without a config, an empty name, a key given twice.
// More images, layers, tags or longer names than any real archive has are
// content.ErrRefused. The names are as they stand there, not checked as paths.
func Parse(data []byte) ([]Image, error) {
	if err := rawjson.Check(data, maxDepth); err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "not a list of images: %w", err)
	}
	var images []Image
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "not a list of images: %w", err)
	}
	if len(images) > maxImages {
		return nil, content.Errorf(content.ErrRefused, "%d images are over the limit of %d", len(images), maxImages)
	}
	for i := range images {
		if err := images[i].check(i); err != nil {
			return nil, err
		}
	}
	return images, nil
}

func (m *Image) check(i int) error {
	switch {
	case m.Config == "":
		return content.Errorf(content.ErrCorrupt, "image %d has no config", i)
	case len(m.Layers) > maxLayers:
		return content.Errorf(content.ErrRefused, "image %d: %d layers are over the limit of %d", i, len(m.Layers), maxLayers)
	case len(m.RepoTags) > maxTags:
		return content.Errorf(content.ErrRefused, "image %d: %d names are over the limit of %d", i, len(m.RepoTags), maxTags)
	}
	for _, list := range [][]string{{m.Config}, m.RepoTags, m.Layers} {
		for _, name := range list {
			if name == "" {
				return content.Errorf(content.ErrCorrupt, "image %d has an empty name in it", i)
			}
			if len(name) > maxName {
				return content.Errorf(content.ErrRefused, "image %d: a name of %d bytes is over the limit of %d", i, len(name), maxName)
			}
		}
	}
	return nil
}

// Marshal writes manifest.json as compact JSON, the images in the order given.
// Equal images give equal bytes; a list that is nil is written as an empty one
// for layers and as null for names, as docker does.
func Marshal(images []Image) ([]byte, error) {
	var b []byte // grown by images: one encoding of all would be held three times
	for i, image := range images {
		if image.Layers == nil {
			image.Layers = []string{}
		}
		if len(image.RepoTags) == 0 {
			image.RepoTags = nil
		}
		raw, err := rawjson.Marshal(image)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			b = make([]byte, 0, min((len(raw)+8)*len(images), 4<<20))
		}
		b = append(append(b, ','), raw...)
	}
	if len(b) == 0 {
		return []byte("[]"), nil
	}
	b[0] = '['
	return append(b, ']'), nil
}
