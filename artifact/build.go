package artifact

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// Options say what an artifact is made of. The zero value is an empty artifact of
// unknown type.
type Options struct {
	// Type is the artifactType. "" is the media type that all files have, if it says
	// something, and else "application/vnd.unknown.artifact.v1" as with oras; with a
	// config of its own type it stays empty, and the config's type counts.
	Type string
	// Annotations are those of the manifest.
	Annotations map[string]string
	// Created is noted as org.opencontainers.image.created, in UTC and whole seconds,
	// unless Annotations have it. Nil notes nothing, so that the same artifact made
	// twice is one.
	Created *time.Time
	// Config is the artifact's config; nil is the empty one.
	Config *File
	// ConfigType is the config's media type; "" is that of Config, or of the empty
	// config. Without Config it is the type of a config "{}".
	ConfigType string
	// Files are the layers, in order; none is the empty layer.
	Files []File
	// Subject is what the artifact is attached to; nil is nothing.
	Subject *content.Descriptor
}

// unknownType is the artifactType of what nobody said more about.
const unknownType = "application/vnd.unknown.artifact.v1"

// unknownConfig is the media type of a config that nobody said more about.
const unknownConfig = "application/vnd.unknown.config.v1+json"

// Build stages the blobs and the manifest of an artifact (image-spec manifest.md,
// "Guidelines for Artifact Usage"). The descriptor it returns is as a registry's
// referrers API would send it: artifactType and annotations are the manifest's own.
func Build(ctx context.Context, b *layout.Batch, o Options) (content.Descriptor, error) {
	m, err := buildManifest(ctx, b, o)
	if err != nil {
		return content.Descriptor{}, err
	}
	data, err := rawjson.Marshal(m)
	if err != nil {
		return content.Descriptor{}, err
	}
	if most := (content.Limits{}).WithDefaults().Manifest; int64(len(data)) > most {
		return content.Descriptor{}, content.Errorf(content.ErrInvalid, "the manifest would have %d bytes, and registries take %d", len(data), most)
	}
	desc, err := b.PushBytes(ctx, m.MediaType, data)
	desc.Annotations = m.Annotations
	desc.ArtifactType = m.ArtifactType
	if desc.ArtifactType == "" {
		desc.ArtifactType = m.Config.MediaType
	}
	return desc, err
}

func buildManifest(ctx context.Context, b *layout.Batch, o Options) (ocispec.Manifest, error) {
	m := ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: o.Type,
		Annotations:  annotations(o),
	}
	if o.Subject != nil { // what the index says beside it may change, and must not change this
		m.Subject = &content.Descriptor{MediaType: o.Subject.MediaType, Digest: o.Subject.Digest, Size: o.Subject.Size}
	}
	var err error
	if m.Config, err = buildConfig(ctx, b, o); err != nil {
		return m, err
	}
	titles := map[string]bool{}
	for _, f := range o.Files {
		layer, err := stage(ctx, b, f)
		if err != nil {
			return m, err
		}
		if title := layer.Annotations[ocispec.AnnotationTitle]; title != "" {
			if titles[title] {
				return m, content.Errorf(content.ErrInvalid, "two files would be called %q", title)
			}
			titles[title] = true
		}
		m.Layers = append(m.Layers, layer)
	}
	if len(m.Layers) == 0 {
		layer, err := pushEmpty(ctx, b)
		if err != nil {
			return m, err
		}
		m.Layers = []content.Descriptor{layer}
	}
	if m.ArtifactType == "" && m.Config.MediaType == ocispec.MediaTypeEmptyJSON {
		m.ArtifactType = commonType(m.Layers)
	}
	if m.ArtifactType != "" {
		err = checkMediaType(m.ArtifactType)
	}
	return m, err
}

// annotations are the manifest's; nil for none.
func annotations(o Options) map[string]string {
	all := maps.Clone(o.Annotations)
	if o.Created != nil && all[ocispec.AnnotationCreated] == "" {
		if all == nil {
			all = map[string]string{}
		}
		all[ocispec.AnnotationCreated] = o.Created.UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// commonType is the media type of all layers, if it says something.
func commonType(layers []content.Descriptor) string {
	first := layers[0].MediaType
	for _, l := range layers {
		if l.MediaType != first {
			return unknownType
		}
	}
	switch first {
	case typeUnknown, typeDirectory, ocispec.MediaTypeEmptyJSON:
		return unknownType
	}
	return first
}

func buildConfig(ctx context.Context, b *layout.Batch, o Options) (content.Descriptor, error) {
	if o.Config == nil {
		config, err := pushEmpty(ctx, b)
		if o.ConfigType != "" && o.ConfigType != config.MediaType {
			config.MediaType, config.Data = o.ConfigType, nil
			err = errors.Join(err, checkMediaType(o.ConfigType))
		}
		return config, err
	}
	f := *o.Config
	switch {
	case o.ConfigType != "":
		f.MediaType = o.ConfigType
	case f.MediaType == "":
		f.MediaType = unknownConfig
	}
	if directory, err := f.isDirectory(); err != nil || directory {
		return content.Descriptor{}, errors.Join(err, content.Errorf(content.ErrInvalid, "a config is a file: %s", f.Path))
	}
	return stage(ctx, b, f)
}

// pushEmpty stages the empty JSON object (image-spec manifest.md, "Guidance for an
// Empty Descriptor").
func pushEmpty(ctx context.Context, b *layout.Batch) (content.Descriptor, error) {
	_, err := b.PushBytes(ctx, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data)
	return ocispec.DescriptorEmptyJSON, err
}

// stage stages one file and describes it.
func stage(ctx context.Context, b *layout.Batch, f File) (desc content.Descriptor, err error) {
	directory, err := f.isDirectory()
	if err != nil {
		return desc, err
	}
	title, err := f.title(directory)
	if err != nil {
		return desc, err
	}
	if desc.MediaType, err = f.mediaType(directory); err != nil {
		return desc, err
	}
	desc.Annotations = maps.Clone(f.Annotations)
	set := func(key, value string) {
		if desc.Annotations == nil {
			desc.Annotations = map[string]string{}
		}
		desc.Annotations[key] = value
	}
	if title != "" {
		set(ocispec.AnnotationTitle, title)
	}
	w, err := b.Create(ctx, digest.SHA256)
	if err != nil {
		return desc, err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	if directory {
		plain, err := pack(ctx, w, f.Path, title)
		if err != nil {
			return desc, content.At(f.Path, err)
		}
		set(annotationPlain, plain.String())
		set(annotationUnpack, "true")
	} else if err := copyFile(ctx, w, f); err != nil {
		return desc, err
	}
	desc.Digest, desc.Size, err = w.Commit()
	return desc, err
}

func copyFile(ctx context.Context, w io.Writer, f File) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	_, err = io.Copy(w, content.Track(ctx, r, "attach", f.Title, -1))
	return errors.Join(err, r.Close())
}
