package registry

import (
	"context"
	"encoding/json"
	"errors"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// list puts a manifest on the list under its subject's fallback tag, as clients must
// where the registry does not do it (distribution-spec, "Pushing Manifests with
// Subject"). What is on it already stays, byte for byte.
func (r *Repository) list(ctx context.Context, subject content.Digest, d content.Descriptor, manifest []byte) error {
	r.lacks.Store(true)
	tag := layout.FallbackTag(subject)
	_, index, children, err := r.currentList(ctx, tag)
	if err != nil {
		return err
	}
	for _, raw := range children {
		var child content.Descriptor
		if json.Unmarshal(raw, &child) == nil && child.Digest == d.Digest {
			return nil
		}
	}
	m, err := content.ParseManifest(d.MediaType, manifest)
	if err != nil {
		return err
	}
	entry, err := rawjson.Marshal(content.Descriptor{
		MediaType: d.MediaType, Digest: d.Digest, Size: d.Size,
		ArtifactType: m.EffectiveArtifactType(), Annotations: m.Annotations,
	})
	if err != nil {
		return err
	}
	index.Set("manifests", rawjson.Array(append(children, entry)))
	data := index.Bytes()
	desc := content.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: sha256Of(data), Size: int64(len(data))}
	_, err = r.putManifest(ctx, desc, data, tag)
	return err
}

// currentList reads the list under a tag, or begins one, whose descriptor is the zero one.
func (r *Repository) currentList(ctx context.Context, tag string) (content.Descriptor, *rawjson.Object, []json.RawMessage, error) {
	d, data, err := r.manifest(ctx, tag, r.c.o.Limits.Index)
	if errors.Is(err, content.ErrNotFound) {
		d, data = content.Descriptor{}, []byte(`{"schemaVersion":2,"mediaType":"`+ocispec.MediaTypeImageIndex+`","manifests":[]}`)
	} else if err != nil {
		return d, nil, nil, err
	} else if d.MediaType != ocispec.MediaTypeImageIndex {
		return d, nil, nil, r.at(tag, content.Errorf(content.ErrConflict, "it is not a list of referrers but a %s", d.MediaType))
	}
	index, err := rawjson.Parse(data)
	if err != nil {
		return d, nil, nil, r.at(tag, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	var children []json.RawMessage
	if raw := index.Get("manifests"); raw != nil {
		if err := json.Unmarshal(raw, &children); err != nil {
			return d, nil, nil, r.at(tag, content.Errorf(content.ErrCorrupt, "manifests: %w", err))
		}
	}
	return d, index, children, nil
}
