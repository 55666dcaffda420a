package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// ToDocker gives manifests, indexes, configs and layers the media types of docker's
// schema 2 where they have OCI's. What they have no word for is ErrUnsupported, with
// the field or media type: a subject, an artifactType, a config that is no image's,
// layers in zstd or with any other type that docker lacks, and attestations and absent
// children of an index, which would stay OCI's. Annotations stay, though docker's
// schema does not know them.
//
// Manifests and indexes change alone: config, history, diffIDs, created, annotations
// and layers keep their bytes, and data that is embedded in the manifest stays. In a
// parent index digest and media type are the new ones, and data of the old bytes goes.
type ToDocker struct{}

// Image converts an image.
func (ToDocker) Image(_ context.Context, im *Image) (err error) {
	if err := withoutFields(im.Manifest, "subject", "artifactType"); err != nil {
		return err
	}
	if im.MediaType, err = dockerType("manifest", im.MediaType); err != nil {
		return err
	}
	config, err := dockerType("config", im.ConfigEntry.GetString("mediaType"))
	if err != nil {
		return err
	}
	setString(im.ConfigEntry, "mediaType", config)
	for _, l := range im.Layers {
		asked := l.MediaType
		if l.form != nil && l.IsTar() {
			asked = mediaTypeIn(asked, l.form.Compression) // what it will be
		}
		mediaType, err := dockerType("layer", asked)
		if err != nil {
			return content.AtDigest(l.Descriptor.Digest, err)
		}
		l.MediaType = mediaTypeIn(mediaType, content.LayerCompression(l.MediaType))
	}
	return nil
}

// Index converts an index.
func (ToDocker) Index(_ context.Context, ix *Index) (err error) {
	if err := withoutFields(ix.Manifest, "subject", "artifactType"); err != nil {
		return err
	}
	for _, c := range ix.Children {
		switch {
		case c.manifest() != nil:
		case content.IsAttestation(c.Descriptor):
			return content.AtDigest(c.Descriptor.Digest, content.Errorf(content.ErrUnsupported, "is an attestation, which docker's manifest list has no form for: make it a referrer"))
		case toOCI(c.Descriptor.MediaType) == c.Descriptor.MediaType:
			return content.AtDigest(c.Descriptor.Digest, content.Errorf(content.ErrUnsupported, "is not in the layout, and can't be converted"))
		}
	}
	ix.MediaType, err = dockerType("index", ix.MediaType)
	return err
}

// dockerType is docker's name for a media type.
func dockerType(what, mediaType string) (string, error) {
	docker, ok := toDocker(mediaType)
	if !ok {
		return "", content.Errorf(content.ErrUnsupported, "%s of type %s has no form of docker's", what, mediaType)
	}
	return docker, nil
}

// withoutFields refuses a manifest with one of the fields.
func withoutFields(manifest *rawjson.Object, keys ...string) error {
	for _, key := range keys {
		if isSet(manifest.Get(key)) {
			return content.Errorf(content.ErrUnsupported, "manifest has %s, which has no form of docker's", key)
		}
	}
	return nil
}

var toDockerFlag = Flag{
	Name:  "to-docker",
	Usage: "convert OCI's media types to docker's; what docker has no type for is refused",
	Bare:  true,
	Parse: bare(Selector{All: true}, ToDocker{}),
}
