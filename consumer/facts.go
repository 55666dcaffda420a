package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// A View is what Look reads: a *layout.Reader, or a store like it.
type View interface {
	content.Fetcher
	// Size is that of the bytes under a digest; ErrNotFound if there are none.
	Size(ctx context.Context, d content.Digest) (int64, error)
}

// A Class is what an entry of an index.json is to a consumer.
type Class string

// The classes of entries.
const (
	ClassImage     Class = "image"
	ClassArtifact  Class = "artifact"     // not an image: a signature, an SBOM, a chart
	ClassCosignTag Class = "cosign-tag"   // what cosign stores under a tag made of a digest
	ClassFallback  Class = "fallback-tag" // the list of referrers under their subject's tag
)

// Facts are what the rules judge an entry by.
type Facts struct {
	Entry layout.Entry
	// Chosen is set for an entry that the user named: it is never left out, but refused.
	Chosen bool
	Class  Class
	// Index are the bytes of the entry's content if that is an index.
	Index []byte
	// Children are the manifests of an index at any depth, in their order, or the
	// manifest itself.
	Children []Child
}

// A Child is a manifest of an image.
type Child struct {
	content.Descriptor
	// Raw is the descriptor as its index has it; nil for an entry that is no index.
	Raw json.RawMessage
	// Image says whether it can run; Attests is then what else it is about, if it is
	// an attestation of BuildKit's.
	Image   bool
	Attests content.Digest
	// Platform is that of an image, normalised; nil if nothing says it.
	Platform *content.Platform
	// Absent is content of the image that the view does not have, foreign layers aside.
	Absent []content.Digest
	// Foreign are layers that need not be there, and are not.
	Foreign []content.Digest
	// Layers are the media types of an image's layers.
	Layers []string
	// Config is the digest of an image's config, by which some consumers call it.
	Config content.Digest
}

// Present says whether all is there that must be.
func (c Child) Present() bool { return len(c.Absent) == 0 }

// IsIndex says whether the entry points to an index.
func (f Facts) IsIndex() bool { return f.Index != nil }

// Look reads the facts of entries: the manifests and configs of what may be an image,
// and which of their blobs are there. No layer is read. chosen says which entries the
// user named. A manifest that is absent at the root is ErrMissing; corrupt content is
// ErrCorrupt.
func Look(ctx context.Context, v View, entries []layout.Entry, chosen func(i int) bool, limits content.Limits) ([]Facts, error) {
	l := looker{view: v, limits: limits.WithDefaults()}
	facts := make([]Facts, len(entries))
	for i, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		f, err := l.entry(ctx, e)
		if err != nil {
			return nil, content.At(e.Name(), err)
		}
		f.Chosen = chosen(i)
		facts[i] = f
	}
	return facts, nil
}

type looker struct {
	view   View
	limits content.Limits
	nodes  int
}

func (l *looker) entry(ctx context.Context, e layout.Entry) (Facts, error) {
	f := Facts{Entry: e, Class: ClassImage}
	switch {
	case e.Kind() == layout.KindFallback:
		f.Class = ClassFallback
	case e.IsCosignTag():
		f.Class = ClassCosignTag
	case e.Kind() == layout.KindArtifact:
		f.Class = ClassArtifact
	}
	if f.Class != ClassImage {
		return f, nil
	}
	if !content.IsIndex(e.MediaType) {
		child, artifact, err := l.manifest(ctx, Child{Descriptor: e.Descriptor}, e.Name() == "")
		if errors.Is(err, content.ErrNotFound) {
			err = content.AtDigest(e.Digest, content.Errorf(content.ErrMissing, "manifest is missing"))
		}
		if artifact {
			f.Class = ClassArtifact
			return f, err
		}
		f.Children = []Child{child}
		return f, err
	}
	m, data, err := content.FetchManifest(ctx, l.view, e.Descriptor, l.limits)
	switch {
	case errors.Is(err, content.ErrNotFound):
		return f, content.AtDigest(e.Digest, content.Errorf(content.ErrMissing, "index is missing"))
	case err != nil:
		return f, err
	case m.Subject != nil && e.Name() == "":
		f.Class = ClassArtifact
		return f, nil
	}
	f.Index = data
	if f.Children, err = l.children(ctx, data, 1); err != nil {
		return f, content.AtDigest(e.Digest, err)
	}
	if !slices.ContainsFunc(f.Children, func(c Child) bool { return c.Image }) {
		f.Class = ClassArtifact
	}
	return f, nil
}

// children lists the manifests in an index, those of nested ones in their place.
func (l *looker) children(ctx context.Context, index []byte, depth int) ([]Child, error) {
	if depth > l.limits.Depth {
		return nil, content.Errorf(content.ErrRefused, "indexes nest deeper than %d", l.limits.Depth)
	}
	raws, err := manifestsOf(index)
	if err != nil {
		return nil, err
	}
	var children []Child
	for _, raw := range raws {
		if l.nodes++; l.nodes > l.limits.Nodes {
			return nil, content.Errorf(content.ErrRefused, "more than %d manifests", l.limits.Nodes)
		}
		e, err := layout.ParseEntry(raw)
		if err != nil {
			return nil, err
		}
		more, err := l.child(ctx, e, depth)
		if err != nil {
			return nil, content.AtDigest(e.Digest, err)
		}
		children = append(children, more...)
	}
	return children, nil
}

func (l *looker) child(ctx context.Context, e layout.Entry, depth int) ([]Child, error) {
	child := Child{Descriptor: e.Descriptor, Raw: e.Raw, Image: true}
	switch {
	case content.IsIndex(e.MediaType):
		_, data, err := content.FetchManifest(ctx, l.view, e.Descriptor, l.limits)
		if errors.Is(err, content.ErrNotFound) {
			child.Absent = []content.Digest{e.Digest}
			return []Child{child}, nil
		}
		if err != nil {
			return nil, err
		}
		return l.children(ctx, data, depth+1)
	case content.IsAttestation(e.Descriptor) || !content.HasEdges(e.MediaType):
		child.Image = false
		child.Attests = content.Digest(e.Annotations[content.AnnotationReferenceDigest])
	}
	found, artifact, err := l.manifest(ctx, child, false)
	if errors.Is(err, content.ErrNotFound) {
		child.Absent = []content.Digest{e.Digest}
		if p := e.Platform; p != nil && child.Image {
			n := content.NormalizePlatform(*p)
			child.Platform = &n
		}
		return []Child{child}, nil
	}
	found.Image = found.Image && !artifact
	return []Child{found}, err
}

// manifest reads a manifest: its platform, and which of its blobs are there. artifact
// says that it is none of an image; with unnamed set, what has a subject is not either.
func (l *looker) manifest(ctx context.Context, c Child, unnamed bool) (_ Child, artifact bool, err error) {
	if !content.HasEdges(c.MediaType) {
		_, err := l.view.Size(ctx, c.Digest)
		return c, true, err
	}
	m, _, err := content.FetchManifest(ctx, l.view, c.Descriptor, l.limits)
	if err != nil {
		return c, false, err
	}
	c.Image = m.IsImage() && !content.IsAttestation(c.Descriptor)
	if err := l.blobs(ctx, &c, m); err != nil {
		return c, false, err
	}
	if !m.IsImage() || unnamed && m.Subject != nil || len(m.Layers) > 0 && !slices.ContainsFunc(m.Layers, isFilesystem) {
		return c, true, nil
	}
	c.Config = m.Config.Digest
	for _, layer := range m.Layers {
		c.Layers = append(c.Layers, layer.MediaType)
	}
	c.Platform, err = l.platform(ctx, c, m)
	return c, false, err
}

func isFilesystem(d content.Descriptor) bool {
	return content.IsLayer(d.MediaType) || content.IsForeign(d.MediaType)
}

// platform is what the descriptor says, else what the config does.
func (l *looker) platform(ctx context.Context, c Child, m content.Manifest) (*content.Platform, error) {
	p := c.Descriptor.Platform
	if p == nil || p.OS == "" || p.Architecture == "" {
		config, _, err := content.FetchConfig(ctx, l.view, *m.Config, l.limits)
		switch {
		case errors.Is(err, content.ErrNotFound) || err == nil && config.OS == "":
			return nil, nil
		case err != nil:
			return nil, err
		}
		p = &config.Platform
	}
	n := content.NormalizePlatform(*p)
	return &n, nil
}

// blobs notes which blobs of a manifest are not there.
func (l *looker) blobs(ctx context.Context, c *Child, m content.Manifest) error {
	for _, e := range m.Edges() {
		if e.Role != content.RoleConfig && e.Role != content.RoleLayer {
			continue
		}
		_, err := l.view.Size(ctx, e.To.Digest)
		switch {
		case errors.Is(err, content.ErrNotFound) && content.IsForeign(e.To.MediaType):
			c.Foreign = append(c.Foreign, e.To.Digest)
		case errors.Is(err, content.ErrNotFound):
			c.Absent = append(c.Absent, e.To.Digest)
		case err != nil:
			return err
		}
	}
	return nil
}

// manifestsOf are the descriptors in an index, with their bytes.
func manifestsOf(index []byte) ([]json.RawMessage, error) {
	o, err := rawjson.Parse(index)
	if err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "not an index: %w", err)
	}
	var raws []json.RawMessage
	if list := o.Get("manifests"); list != nil {
		if err := json.Unmarshal(list, &raws); err != nil {
			return nil, content.Errorf(content.ErrCorrupt, "manifests of the index: %w", err)
		}
	}
	return raws, nil
}
