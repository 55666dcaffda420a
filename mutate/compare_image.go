package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// maxValueDepth is how deep manifests and configs that are compared may nest.
const maxValueDepth = 64

// A comparedManifest is one of two manifests, with its config if that is an image's.
type comparedManifest struct {
	store  content.Fetcher
	desc   content.Descriptor
	raw    *rawjson.Object
	m      content.Manifest
	config *rawjson.Object // nil unless the config is an image's
	facts  layout.Facts
}

// open reads a manifest and its config.
func (c *comparer) open(ctx context.Context, side CompareSide, d content.Descriptor) (*comparedManifest, error) {
	m, data, err := content.FetchManifest(ctx, side, d, c.o.Limits)
	if err != nil {
		return nil, err
	}
	r := &comparedManifest{store: side, desc: d, m: m}
	if r.raw, err = strictObject(d.Digest, data); err != nil || m.Config == nil || !content.IsImageConfig(m.Config.MediaType) {
		return r, err
	}
	data, err = content.FetchAll(ctx, side, *m.Config, c.o.Limits.Manifest)
	if err != nil {
		return nil, err
	}
	if r.config, err = strictObject(m.Config.Digest, data); err != nil {
		return nil, err
	}
	r.facts, err = layout.ParseFacts(data)
	return r, content.AtDigest(m.Config.Digest, err)
}

// strictObject reads JSON in which every reader sees the same.
func strictObject(d content.Digest, data []byte) (*rawjson.Object, error) {
	if err := rawjson.Check(data, maxValueDepth); err != nil {
		return nil, content.AtDigest(d, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	object, err := rawjson.Parse(data)
	if err != nil {
		return nil, content.AtDigest(d, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	return object, nil
}

// images compares two manifests.
func (c *comparer) images(ctx context.Context, from, to content.Descriptor) (ImageDifference, error) {
	d := ImageDifference{From: compared(from), To: compared(to), Fields: []FieldDifference{}}
	if from.Digest == to.Digest {
		return d, nil
	}
	a, err := c.open(ctx, c.from, from)
	if err != nil {
		return d, err
	}
	b, err := c.open(ctx, c.to, to)
	if err != nil {
		return d, err
	}
	differ, err := c.fields(&d, a, b)
	if err != nil {
		return d, err
	}
	layers, err := c.layers(ctx, &d, a, b)
	if err != nil {
		return d, err
	}
	if !differ && layers.same {
		c.spelling(&d, "", from.Digest, to.Digest)
	}
	if a.config == nil || b.config == nil {
		return d, nil
	}
	d.Files, err = c.files(ctx, a, b, !layers.blobs)
	if err == nil && d.Files != nil && d.Files.State == FilesUnreadable && c.o.Ignore.any("layers") {
		err = content.Errorf(content.ErrUnsupported, "files can't be compared, and layers are ignored: %s", d.Files.Reason)
	}
	return d, err
}

// spelling notes that two documents differ in nothing but how they are written.
func (c *comparer) spelling(d *ImageDifference, path string, from, to content.Digest) {
	if !c.o.Ignore.any("encoding") {
		d.Fields = append(d.Fields, FieldDifference{"encoding", path, rawjson.Quote(from.String()), rawjson.Quote(to.String())})
	}
}

// fields compares what two manifests and their configs say, apart from their layers,
// and says whether anything differs, ignored or not.
func (c *comparer) fields(d *ImageDifference, a, b *comparedManifest) (bool, error) {
	f := fieldFinder{ignore: c.o.Ignore, kinds: manifestKinds}
	if err := f.objects("", a.raw, b.raw, "config", "layers", "blobs"); err != nil {
		return false, content.AtDigest(b.desc.Digest, err)
	}
	inConfig := []string{"digest", "size", "data"}
	if a.config == nil || b.config == nil {
		inConfig = nil // compared by its bytes
	}
	if err := f.descriptors("/config", a.raw.Get("config"), b.raw.Get("config"), inConfig...); err != nil {
		return false, err
	}
	d.Fields = append(d.Fields, f.found...)
	if a.config == nil || b.config == nil || a.m.Config.Digest == b.m.Config.Digest {
		return f.any, c.takeFields(d)
	}
	g := fieldFinder{ignore: c.o.Ignore, kinds: configKinds}
	if err := g.config(a.config, b.config); err != nil {
		return false, content.AtDigest(b.m.Config.Digest, err)
	}
	if err := g.diffIDs(a, b); err != nil {
		return false, content.AtDigest(b.m.Config.Digest, err)
	}
	d.Fields = append(d.Fields, g.found...)
	if !g.any {
		c.spelling(d, "/config", a.m.Config.Digest, b.m.Config.Digest)
	}
	return true, c.takeFields(d)
}

// takeFields makes room for the fields that were found.
func (c *comparer) takeFields(d *ImageDifference) error {
	var n int64
	for _, f := range d.Fields {
		n += int64(100 + len(f.Path) + len(f.From) + len(f.To))
	}
	return c.take(n)
}

// descriptors compares two descriptors but for some of their fields.
func (f *fieldFinder) descriptors(path string, from, to []byte, skip ...string) error {
	if !isObject(someValue(from)) || !isObject(someValue(to)) {
		return f.values(path, from, to)
	}
	a, err := rawjson.Parse(from)
	if err != nil {
		return err
	}
	b, err := rawjson.Parse(to)
	if err != nil {
		return err
	}
	return f.objects(path, a, b, skip...)
}

// layersOf pairs the layers of a manifest with the diffIDs of its config.
func (m *comparedManifest) layersOf() ([]imagefs.Layer, error) {
	return imagefs.Layers(m.m.Layers, m.facts.DiffIDs)
}
