package mutate

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// maxNodes is how many manifests one tree may have. A manifest counts each time it is
// listed, since each place can be edited.
const maxNodes = 1 << 14

// maxTree is how many bytes the manifests and configs of one tree may have, each counted
// where it is listed. An image has some 20 KB.
const maxTree = 64 << 20

// imageState is how an image was found.
type imageState struct {
	data    []byte             // of the manifest
	config  content.Descriptor // zero without a config
	conf    []byte             // of the config, if it is an image's
	diffIDs []content.Digest
}

type indexState struct {
	data []byte
}

// loader reads what an entry leads to, each digest once.
type loader struct {
	job   *Job
	seen  map[content.Digest][]byte
	nodes int
	bytes int64
}

// loadTree reads the manifests and configs that an entry leads to.
func loadTree(ctx context.Context, job *Job, e layout.Entry) (*Child, error) {
	raw := e.Raw
	if raw == nil {
		raw = layout.NewEntry(e.Descriptor).Raw
	}
	l := &loader{job: job, seen: map[content.Digest][]byte{}}
	root, err := l.child(ctx, raw, nil, 0)
	switch {
	case err != nil:
		return nil, err
	case root.Image == nil && root.Index == nil:
		return nil, content.AtDigest(root.Descriptor.Digest, content.Errorf(content.ErrUnsupported, "is no image or index that can be edited"))
	}
	return root, nil
}

// child reads one descriptor and what it leads to.
func (l *loader) child(ctx context.Context, raw []byte, parent *Index, depth int) (*Child, error) {
	entry, err := l.job.spelled.parse(raw)
	if err != nil {
		return nil, err
	}
	d, err := readDescriptor(raw)
	if err != nil {
		return nil, err
	}
	if err := l.job.hold(ctx, d); err != nil {
		return nil, err
	}
	c := &Child{Descriptor: d, Entry: entry}
	if parent != nil && (!content.HasEdges(d.MediaType) || content.IsRetired(d.MediaType) || content.IsAttestation(d)) {
		return c, nil
	}
	if l.nodes++; l.nodes > maxNodes || depth > l.job.Limits.Depth {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "index has more than %d manifests or is deeper than %d", maxNodes, l.job.Limits.Depth))
	}
	data, err := l.fetch(ctx, d)
	if parent != nil && errors.Is(err, content.ErrNotFound) {
		return c, nil // the layout is sparse
	}
	if err != nil {
		return nil, err
	}
	m, err := content.ParseManifest(d.MediaType, data)
	if err != nil {
		return nil, content.AtDigest(d.Digest, err)
	}
	switch {
	case content.IsIndex(m.MediaType):
		c.Index, err = l.index(ctx, c, data, m, parent, depth)
	case m.Config != nil && !content.IsRetired(m.MediaType):
		c.Image, err = l.image(ctx, c, data, m, parent)
	}
	return c, content.AtDigest(d.Digest, err)
}

func (l *loader) fetch(ctx context.Context, d content.Descriptor) ([]byte, error) {
	if l.bytes += d.Size; l.bytes > maxTree {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "manifests and configs of the index are more than %d bytes", int64(maxTree)))
	}
	if data, ok := l.seen[d.Digest]; ok && int64(len(data)) == d.Size {
		return data, nil
	}
	data, err := content.FetchAll(ctx, l.job.Source, d, l.job.Limits.Manifest)
	if err == nil {
		l.seen[d.Digest] = data
	}
	return data, err
}

func (l *loader) index(ctx context.Context, c *Child, data []byte, m content.Manifest, parent *Index, depth int) (*Index, error) {
	o, err := l.job.spelled.parse(data)
	if err != nil {
		return nil, err
	}
	ix := &Index{Job: l.job, Descriptor: c.Descriptor, Entry: c.Entry, MediaType: m.MediaType, Manifest: o, parent: parent, loaded: indexState{data: data}}
	err = rawjson.EachElement(o.Get("manifests"), func(value []byte) error {
		child, err := l.child(ctx, value, ix, depth+1)
		ix.Children = append(ix.Children, child)
		return err
	})
	return ix, err
}

func (l *loader) image(ctx context.Context, c *Child, data []byte, m content.Manifest, parent *Index) (*Image, error) {
	o, err := l.job.spelled.parse(data)
	if err != nil {
		return nil, err
	}
	im := &Image{Job: l.job, Descriptor: c.Descriptor, Entry: c.Entry, MediaType: m.MediaType, Manifest: o, parent: parent, loaded: imageState{data: data}}
	if im.ConfigEntry, err = l.job.spelled.parse(o.Get("config")); err != nil {
		return nil, content.At("config", err)
	}
	if im.loaded.config, err = readDescriptor(o.Get("config")); err != nil {
		return nil, content.At("config", err)
	}
	if err := im.loadLayers(); err != nil {
		return nil, content.At("layers", err)
	}
	for _, d := range m.Layers {
		if err := l.job.hold(ctx, d); err != nil {
			return nil, err
		}
	}
	if err := l.job.hold(ctx, im.loaded.config); err != nil {
		return nil, err
	}
	if m.IsImage() {
		if err := l.config(ctx, im); err != nil {
			return nil, content.AtDigest(im.loaded.config.Digest, err)
		}
	}
	if p := c.Descriptor.Platform; p != nil {
		im.Platform = content.NormalizePlatform(*p)
	}
	return im, nil
}

func (im *Image) loadLayers() error {
	raws, err := im.Job.spelled.objects(im.Manifest.Get("layers"))
	if err != nil {
		return err
	}
	for i, raw := range raws {
		d, err := readDescriptor(im.Job.spelled.bytes(raw))
		if err != nil {
			return err
		}
		im.Layers = append(im.Layers, &Layer{Number: i + 1, Descriptor: d, Raw: raw, MediaType: d.MediaType})
	}
	return nil
}

// config reads the config of an image, and gives the layers their diffIDs.
func (l *loader) config(ctx context.Context, im *Image) error {
	data, err := l.fetch(ctx, im.loaded.config)
	if errors.Is(err, content.ErrNotFound) {
		return content.Errorf(content.ErrMissing, "config is not in the layout")
	}
	if err != nil {
		return err
	}
	if im.Config, err = l.job.spelled.parse(data); err != nil {
		return err
	}
	im.loaded.conf = data
	var known struct {
		content.Platform
		RootFS struct {
			DiffIDs []content.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return content.Errorf(content.ErrCorrupt, "not an image config: %w", err)
	}
	im.Platform = content.NormalizePlatform(known.Platform)
	im.loaded.diffIDs = known.RootFS.DiffIDs
	if len(im.loaded.diffIDs) == len(im.Layers) {
		for i, d := range im.loaded.diffIDs {
			im.Layers[i].DiffID = d
		}
	}
	return im.loadHistory()
}

// loadHistory gives each entry that has a layer the next one.
func (im *Image) loadHistory() error {
	raws, err := im.Job.spelled.objects(im.Config.Get("history"))
	if err != nil || raws == nil {
		return content.At("history", err)
	}
	im.History = []*History{}
	next := 0
	for _, raw := range raws {
		h := &History{Raw: raw}
		switch {
		case string(raw.Get("empty_layer")) == "true":
		case next < len(im.Layers):
			h.Layer = im.Layers[next]
			next++
		default:
			h.stray = true
		}
		im.History = append(im.History, h)
	}
	return nil
}
