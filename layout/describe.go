package layout

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// A Description says what a manifest or index is, all in one value. Its JSON is
// what `inspect` prints; the fields are stable.
type Description struct {
	Name         string              `json:"name,omitempty"` // of the entry in index.json
	Digest       content.Digest      `json:"digest"`
	MediaType    string              `json:"mediaType"`
	Size         int64               `json:"size"`                   // of the manifest's own bytes
	Absent       bool                `json:"absent,omitempty"`       // a child that this layout does not have; nothing below is known
	ArtifactType string              `json:"artifactType,omitempty"` // of what is not an image
	Platform     *content.Platform   `json:"platform,omitempty"`     // of an image, normalised
	Platforms    []string            `json:"platforms,omitempty"`    // of an index: those of all images in it
	TotalSize    int64               `json:"totalSize"`              // of the config and layers, and of all children; a blob twice in it counts once
	Annotations  map[string]string   `json:"annotations,omitempty"`  // of the manifest, not of its entry
	Subject      *content.Descriptor `json:"subject,omitempty"`

	Config *content.Descriptor `json:"config,omitempty"`
	// Image is the image's config as its blob has it, with every field that this
	// module does not know; absent if the config is not an image's.
	Image  json.RawMessage    `json:"image,omitempty"`
	Layers []LayerDescription `json:"layers,omitempty"`

	Manifests []Description        `json:"manifests,omitempty"` // of an index
	Referrers []content.Descriptor `json:"referrers,omitempty"` // what has this as its subject

	image ocispec.Image
}

// A LayerDescription is a layer, or another blob of an artifact, with what the
// config says about it.
type LayerDescription struct {
	Digest      content.Digest    `json:"digest"`
	MediaType   string            `json:"mediaType"`
	Size        int64             `json:"size"`
	DiffID      content.Digest    `json:"diffID,omitempty"`    // digest of the uncompressed layer
	CreatedBy   string            `json:"createdBy,omitempty"` // the step of the history that made it
	Annotations map[string]string `json:"annotations,omitempty"`
}

// History gives the steps that made an image, as its config has them.
func (d Description) History() []ocispec.History { return d.image.History }

// ImageConfig gives what containers of an image run with, as far as its type knows.
func (d Description) ImageConfig() ocispec.Image { return d.image }

// Created is when the image was made, in RFC 3339: by its config, or else by the
// annotation of the manifest or of an image in the index. "" if nothing says so.
func (d Description) Created() string {
	if d.image.Created != nil {
		return d.image.Created.UTC().Format(time.RFC3339)
	}
	if at := d.Annotations[ocispec.AnnotationCreated]; at != "" {
		return at
	}
	for _, m := range d.Manifests {
		if at := m.Created(); at != "" {
			return at
		}
	}
	return ""
}

// maxDescribed is how many manifests one description holds: indexes can name each
// other's children so often that a few kilobytes describe more than fits anywhere.
const maxDescribed = 10_000

// referrerLister is an optional power of a Fetcher, in oras-go's form.
type referrerLister interface {
	Referrers(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error
}

// Describe reads the manifest or index of e, what is in it at any depth, and its
// configs; no layer is opened. Referrers of e itself are listed if f can tell them.
// Children that f does not have are marked absent; anything else that is missing
// is ErrMissing. More than 10,000 manifests are ErrRefused.
func Describe(ctx context.Context, f content.Fetcher, e Entry, limits content.Limits) (Description, error) {
	if !content.HasEdges(e.MediaType) {
		return Description{}, content.AtDigest(e.Digest, content.Errorf(content.ErrInvalid, "a %s is neither a manifest nor an index", e.MediaType))
	}
	w := describer{fetch: f, limits: limits.WithDefaults()}
	d, err := w.describe(ctx, e.Descriptor, 0)
	if err != nil {
		return Description{}, err
	}
	d.Name = e.Name()
	if lister, ok := f.(referrerLister); ok {
		err = lister.Referrers(ctx, e.Descriptor, "", func(found []content.Descriptor) error {
			d.Referrers = append(d.Referrers, found...)
			return nil
		})
	}
	return d, err
}

// ConfigBytes reads the bytes of the config of a manifest, as its blob has them. An
// index has none: ErrInvalid.
func ConfigBytes(ctx context.Context, f content.Fetcher, desc content.Descriptor, limits content.Limits) ([]byte, error) {
	if content.IsIndex(desc.MediaType) {
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrInvalid, "an index has no config: say which platform"))
	}
	m, _, err := content.FetchManifest(ctx, f, desc, limits)
	if err != nil {
		return nil, err
	}
	if m.Config == nil {
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrNotFound, "the manifest has no config"))
	}
	return content.FetchAll(ctx, f, *m.Config, limits.WithDefaults().Manifest)
}

type describer struct {
	fetch  content.Fetcher
	limits content.Limits
	count  int
}

func (w *describer) describe(ctx context.Context, desc content.Descriptor, depth int) (Description, error) {
	d := Description{Digest: desc.Digest, MediaType: desc.MediaType, Size: desc.Size, Platform: desc.Platform, ArtifactType: desc.ArtifactType}
	if w.count++; w.count > maxDescribed {
		return d, content.AtDigest(desc.Digest, content.Errorf(content.ErrRefused, "more than %d manifests in one index", maxDescribed))
	}
	if depth > w.limits.Depth {
		return d, content.AtDigest(desc.Digest, content.Errorf(content.ErrRefused, "indexes nest deeper than %d", w.limits.Depth))
	}
	m, _, err := content.FetchManifest(ctx, w.fetch, desc, w.limits)
	if errors.Is(err, content.ErrNotFound) {
		if depth > 0 {
			d.Absent = true
			return d, nil
		}
		err = content.AtDigest(desc.Digest, content.Errorf(content.ErrMissing, "manifest is missing"))
	}
	if err != nil {
		return d, err
	}
	d.Annotations, d.Subject, d.Config = m.Annotations, m.Subject, m.Config
	d.ArtifactType = m.ArtifactType
	if content.IsIndex(desc.MediaType) {
		return d, w.children(ctx, &d, m, depth)
	}
	if !m.IsImage() {
		d.ArtifactType = m.EffectiveArtifactType()
	}
	return d, w.image(ctx, &d, m)
}

// children describes those of an index and sums them up.
func (w *describer) children(ctx context.Context, d *Description, m content.Manifest, depth int) error {
	seen := map[content.Digest]bool{}
	for _, child := range m.Manifests {
		if !content.HasEdges(child.MediaType) {
			d.Manifests = append(d.Manifests, Description{Digest: child.Digest, MediaType: child.MediaType, Size: child.Size, ArtifactType: child.ArtifactType})
			continue
		}
		c, err := w.describe(ctx, child, depth+1)
		if err != nil {
			return err
		}
		c.addPlatforms(d, content.IsAttestation(child))
		d.Manifests = append(d.Manifests, c)
	}
	d.TotalSize = d.sum(seen)
	return nil
}

// addPlatforms tells the index to what platforms its child d has images for.
func (d Description) addPlatforms(to *Description, attestation bool) {
	switch {
	case len(d.Platforms) > 0:
		to.Platforms = append(to.Platforms, d.Platforms...)
	case d.Platform != nil && !attestation && !content.IsIndex(d.MediaType):
		to.Platforms = append(to.Platforms, content.FormatPlatform(*d.Platform))
	}
}

// sum adds the sizes of what d has, each digest once.
func (d Description) sum(seen map[content.Digest]bool) int64 {
	var total int64
	add := func(digest content.Digest, size int64) {
		if !seen[digest] && size > 0 && size <= math.MaxInt64-total { // sizes lie
			seen[digest] = true
			total += size
		}
	}
	if d.Config != nil {
		add(d.Config.Digest, d.Config.Size)
	}
	for _, l := range d.Layers {
		add(l.Digest, l.Size)
	}
	for _, m := range d.Manifests {
		if !m.Absent {
			total += min(m.sum(seen), math.MaxInt64-total)
		}
	}
	return total
}

// image describes what is in a manifest that is no index.
func (w *describer) image(ctx context.Context, d *Description, m content.Manifest) error {
	for _, list := range [][]content.Descriptor{m.Layers, m.Blobs} {
		for _, l := range list {
			d.Layers = append(d.Layers, LayerDescription{Digest: l.Digest, MediaType: l.MediaType, Size: l.Size, Annotations: l.Annotations})
		}
	}
	d.TotalSize = d.sum(map[content.Digest]bool{})
	if m.Config == nil || !content.IsImageConfig(m.Config.MediaType) {
		return nil
	}
	image, raw, err := content.FetchConfig(ctx, w.fetch, *m.Config, w.limits)
	if errors.Is(err, content.ErrNotFound) {
		return content.AtDigest(m.Config.Digest, content.Errorf(content.ErrMissing, "config is missing"))
	}
	if err != nil {
		return err
	}
	d.image, d.Image = image, raw
	if image.OS != "" {
		p := content.NormalizePlatform(image.Platform)
		d.Platform = &p
	}
	d.explainLayers()
	return nil
}

// explainLayers adds to each layer its diffID, and the step of the history that
// made it if the history has one for each layer.
func (d *Description) explainLayers() {
	for i, id := range d.image.RootFS.DiffIDs {
		if i < len(d.Layers) {
			d.Layers[i].DiffID = id
		}
	}
	var steps []string
	for _, h := range d.image.History {
		if !h.EmptyLayer {
			steps = append(steps, h.CreatedBy)
		}
	}
	if len(steps) != len(d.Layers) {
		return
	}
	for i, step := range steps {
		d.Layers[i].CreatedBy = step
	}
}
