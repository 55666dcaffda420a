package mutate

import (
	"context"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// What became of a layer.
const (
	LayerAdded        = "added"
	LayerRemoved      = "removed"
	LayerChanged      = "changed"      // another one stands in its place
	LayerRecompressed = "recompressed" // the same tar, by the diffIDs of both configs
	LayerDescribed    = "described"    // the same blob, with another descriptor or diffID
)

// A LayerDifference is a layer, or a file of an artifact, that is not the same on both
// sides.
type LayerDifference struct {
	Change string `json:"change"`
	// From and To are the layer; one is nil if only the other is there.
	From *ComparedLayer `json:"from,omitempty"`
	To   *ComparedLayer `json:"to,omitempty"`
	// Fields are values of its descriptor that differ besides.
	Fields []FieldDifference `json:"fields,omitempty"`
	// Why says why two digests differ, if that was asked for.
	Why []LayerReason `json:"why,omitempty"`
}

// A ComparedLayer is a layer with what the config says about it.
type ComparedLayer struct {
	Number    int            `json:"number"` // from 1, the lowest
	Digest    content.Digest `json:"digest"`
	MediaType string         `json:"mediaType"`
	Size      int64          `json:"size"`
	DiffID    content.Digest `json:"diffID,omitempty"`
	CreatedBy string         `json:"createdBy,omitempty"`
}

// A layerVerdict says what was found about all layers of two manifests, whether it
// counts or not.
type layerVerdict struct {
	same  bool // each is the same blob, described alike
	blobs bool // each is the same blob
}

// layers compares the layers of two manifests.
func (c *comparer) layers(ctx context.Context, d *ImageDifference, a, b *comparedManifest) (layerVerdict, error) {
	from, to := a.comparedLayers(), b.comparedLayers()
	rawFrom, rawTo := a.rawLayers(), b.rawLayers()
	all := layerVerdict{same: true, blobs: true}
	for _, p := range pairLists(layerKeys(from), layerKeys(to)) {
		same, blob := false, false
		l := LayerDifference{Change: LayerRemoved}
		if p.from >= 0 {
			l.From = &from[p.from]
		}
		if p.to >= 0 {
			l.To, l.Change = &to[p.to], LayerAdded
		}
		if p.from >= 0 && p.to >= 0 {
			f := fieldFinder{ignore: c.o.Ignore, kinds: func(string) []string { return []string{"layers"} }}
			if err := f.descriptors("", rawFrom[p.from], rawTo[p.to], "digest", "size", "data", "mediaType"); err != nil {
				return all, err
			}
			l.Fields = f.found
			l.Change = changeOf(*l.From, *l.To)
			same, blob = l.Change == "" && !f.any, l.From.Digest == l.To.Digest
			if l.Change == "" && f.any {
				l.Change = LayerDescribed
			}
		}
		all.same, all.blobs = all.same && same, all.blobs && blob
		if same {
			d.SameLayers++
			continue
		}
		if c.o.Ignore.any("layers") {
			continue
		}
		if c.o.Explain && l.From != nil && l.To != nil && l.From.Digest != l.To.Digest {
			var err error
			if l.Why, err = c.explainLayer(ctx, a, b, p); err != nil {
				return all, err
			}
		}
		if err := c.take(int64(600 + len(l.Why)*300)); err != nil {
			return all, err
		}
		d.Layers = append(d.Layers, l)
	}
	return all, nil
}

// changeOf says how two layers that stand for each other differ: "" for not at all.
func changeOf(from, to ComparedLayer) string {
	switch {
	case from.Digest == to.Digest && from.MediaType == to.MediaType && from.DiffID == to.DiffID:
		return ""
	case from.Digest == to.Digest:
		return LayerDescribed
	case from.DiffID == to.DiffID && from.DiffID != "":
		return LayerRecompressed
	}
	return LayerChanged
}

// comparedLayers lists the layers, or the files of an artifact.
func (m *comparedManifest) comparedLayers() []ComparedLayer {
	layers := m.m.Layers
	if len(layers) == 0 {
		layers = m.m.Blobs
	}
	steps := m.layerSteps()
	list := make([]ComparedLayer, len(layers))
	for i, l := range layers {
		list[i] = ComparedLayer{Number: i + 1, Digest: l.Digest, MediaType: l.MediaType, Size: l.Size}
		if len(m.facts.DiffIDs) == len(layers) {
			list[i].DiffID = m.facts.DiffIDs[i]
		}
		if len(steps) == len(layers) {
			list[i].CreatedBy = steps[i]
		}
	}
	return list
}

// layerSteps are the steps of the history that made a layer.
func (m *comparedManifest) layerSteps() []string {
	if m.config == nil {
		return nil
	}
	var steps []string
	for _, step := range historySteps(m.config.Get("history")) {
		if empty, _ := decodeValue(memberOf(step, "empty_layer")); empty == true {
			continue
		}
		by, _ := decodeValue(memberOf(step, "created_by"))
		text, _ := by.(string)
		steps = append(steps, text)
	}
	return steps
}

// rawLayers are the descriptors as the manifest has them.
func (m *comparedManifest) rawLayers() [][]byte {
	list := m.raw.Get("layers")
	if len(m.m.Layers) == 0 {
		list = m.raw.Get("blobs")
	}
	var raw [][]byte
	_ = rawjson.EachElement(list, func(value []byte) error { // the function has no error
		raw = append(raw, value)
		return nil
	})
	return raw
}

// layerKeys are the blob, what it decompresses to, and the step that made it.
func layerKeys(list []ComparedLayer) [][]string {
	keys := make([][]string, len(list))
	for i, l := range list {
		keys[i] = []string{l.Digest.String(), l.DiffID.String(), strings.TrimSpace(l.CreatedBy)}
	}
	return keys
}
