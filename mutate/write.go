package mutate

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// put stages data under its digest by alg and describes it.
func (j *Job) put(ctx context.Context, mediaType string, alg digest.Algorithm, data []byte) (content.Descriptor, error) {
	d := content.Descriptor{MediaType: mediaType, Digest: alg.FromBytes(data), Size: int64(len(data))}
	return d, j.Batch.Push(ctx, d, bytes.NewReader(data))
}

// algorithmFor is the algorithm for what takes the place of old.
func algorithmFor(asked digest.Algorithm, old content.Digest) digest.Algorithm {
	switch {
	case asked != "":
		return asked
	case old != "" && content.Verifiable(old):
		return old.Algorithm()
	}
	return digest.SHA256
}

// rewrite is the descriptor of data that takes the place of was, whose bytes were old:
// was itself if nothing has changed.
func (j *Job) rewrite(ctx context.Context, was content.Descriptor, old, data []byte, mediaType string, asked digest.Algorithm) (content.Descriptor, error) {
	alg := algorithmFor(asked, was.Digest)
	if bytes.Equal(old, data) && was.Digest.Algorithm() == alg {
		return content.Descriptor{MediaType: mediaType, Digest: was.Digest, Size: was.Size}, nil
	}
	return j.put(ctx, mediaType, alg, data)
}

// setMediaType writes the mediaType of a manifest, if it has one or was given another.
func setMediaType(o *rawjson.Object, was, is string) {
	if o.Get("mediaType") != nil || was != is {
		setString(o, "mediaType", is)
	}
}

// embed puts a blob of at most limit bytes into its descriptor, and takes the data of a
// larger one out. A nil limit changes nothing.
func (j *Job) embed(ctx context.Context, o *rawjson.Object, d content.Descriptor, limit *int64) error {
	switch {
	case limit == nil:
		return nil
	case d.Size > *limit:
		o.Delete("data")
		return nil
	}
	if ok, err := j.Batch.Exists(ctx, d); err != nil || !ok {
		return err
	}
	data, err := content.FetchAll(ctx, j.Batch, d, j.Limits.Manifest)
	if err == nil && o.GetString("data") != base64.StdEncoding.EncodeToString(data) {
		o.SetString("data", base64.StdEncoding.EncodeToString(data))
	}
	return err
}

// write makes the config and the manifest of an image whose layers are there.
func (im *Image) write(ctx context.Context) error {
	var layers [][]byte
	for _, l := range im.Layers {
		if l.result != nil && l.result.emptied {
			im.RemoveLayer(l)
		}
	}
	var files []imagefs.Layer
	for _, l := range im.Layers {
		d := l.describe()
		files = append(files, imagefs.Layer{Descriptor: d, DiffID: l.diffID()})
		if err := im.Job.embed(ctx, l.Raw, d, im.DataMax); err != nil {
			return err
		}
		layers = append(layers, im.Job.spelled.bytes(l.Raw))
	}
	if err := im.checkLinks(ctx, files); err != nil {
		return err
	}
	config := im.loaded.config
	config.MediaType = im.ConfigEntry.GetString("mediaType")
	if im.Config != nil {
		if err := im.writeLayersToConfig(); err != nil {
			return err
		}
		var err error
		if config, err = im.Job.rewrite(ctx, config, im.loaded.conf, im.Job.spelled.bytes(im.Config), config.MediaType, im.Algorithm); err != nil {
			return err
		}
	}
	setDescriptor(im.ConfigEntry, config)
	if err := im.Job.embed(ctx, im.ConfigEntry, config, im.DataMax); err != nil {
		return err
	}
	if b := im.Job.spelled.bytes(im.ConfigEntry); !bytes.Equal(b, im.Manifest.Get("config")) {
		im.Manifest.Set("config", b)
	}
	setArray(im.Manifest, "layers", layers)
	setMediaType(im.Manifest, im.Descriptor.MediaType, im.MediaType)
	d, err := im.Job.rewrite(ctx, im.Descriptor, im.loaded.data, im.Job.spelled.bytes(im.Manifest), im.MediaType, im.Algorithm)
	im.result = &d
	setDescriptor(im.Entry, d)
	return err
}

// writeLayersToConfig writes rootfs and history. The diffIDs of an image where
// they did not fit the layers stay as long as no layer changes.
func (im *Image) writeLayersToConfig() error {
	ids, known := im.diffIDs()
	switch {
	case known && !slices.Equal(ids, im.loaded.diffIDs):
		if err := im.writeRootFS(ids); err != nil {
			return err
		}
	case !known && im.layersChanged():
		return content.AtDigest(im.loaded.config.Digest, content.Errorf(content.ErrCorrupt,
			"config has %d diffIDs, manifest has %d layers", len(im.loaded.diffIDs), len(im.loadedLayers())))
	}
	im.writeHistory()
	return nil
}

// diffIDs lists those of all layers, if they are known.
func (im *Image) diffIDs() ([]content.Digest, bool) {
	ids := make([]content.Digest, len(im.Layers))
	for i, l := range im.Layers {
		ids[i] = l.diffID()
		if ids[i] == "" {
			return nil, false
		}
	}
	return ids, true
}

// loadedLayers lists the layers as they were found.
func (im *Image) loadedLayers() [][]byte {
	var list [][]byte
	_ = rawjson.EachElement(im.Manifest.Get("layers"), func(value []byte) error { // the function returns none
		list = append(list, value)
		return nil
	})
	return list
}

// layersChanged says whether layers came, went, moved, or have other bytes.
func (im *Image) layersChanged() bool {
	if len(im.Layers) != len(im.loadedLayers()) {
		return true
	}
	for i, l := range im.Layers {
		if l.Number != i+1 || l.diffID() != l.DiffID {
			return true
		}
	}
	return false
}

func (im *Image) writeRootFS(ids []content.Digest) error {
	raw := im.Config.Get("rootfs")
	rootfs := &rawjson.Object{}
	if raw != nil && string(raw) != "null" {
		var err error
		if rootfs, err = rawjson.Parse(raw); err != nil {
			return content.At("rootfs", content.Errorf(content.ErrCorrupt, "%w", err))
		}
	}
	if rootfs.Get("type") == nil {
		rootfs.SetString("type", "layers")
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	rootfs.Set("diff_ids", list)
	im.Config.Set("rootfs", rootfs.Bytes())
	return nil
}

func (im *Image) writeHistory() {
	if im.History == nil {
		if string(im.Config.Get("history")) != "null" {
			im.Config.Delete("history")
		}
		return
	}
	list := make([][]byte, len(im.History))
	for i, h := range im.History {
		empty := string(h.Raw.Get("empty_layer")) == "true"
		switch {
		case h.Layer == nil && !h.stray && !empty:
			h.Raw.Set("empty_layer", json.RawMessage("true"))
		case h.Layer != nil && empty:
			h.Raw.Delete("empty_layer")
		}
		list[i] = im.Job.spelled.bytes(h.Raw)
	}
	setArray(im.Config, "history", list)
}

// write makes the index, whose children are written.
func (ix *Index) write(ctx context.Context) error {
	list := make([][]byte, len(ix.Children))
	for i, c := range ix.Children {
		if err := ix.Job.embed(ctx, c.Entry, c.Result(), ix.DataMax); err != nil {
			return err
		}
		list[i] = ix.Job.spelled.bytes(c.Entry)
	}
	setArray(ix.Manifest, "manifests", list)
	setMediaType(ix.Manifest, ix.Descriptor.MediaType, ix.MediaType)
	d, err := ix.Job.rewrite(ctx, ix.Descriptor, ix.loaded.data, ix.Job.spelled.bytes(ix.Manifest), ix.MediaType, ix.Algorithm)
	ix.result = &d
	setDescriptor(ix.Entry, d)
	return err
}

// write makes what a child leads to, from the leaves up.
func (c *Child) write(ctx context.Context) error {
	switch {
	case c.Image != nil:
		return content.AtDigest(c.Descriptor.Digest, c.Image.write(ctx))
	case c.Index != nil:
		for _, child := range c.Index.Children {
			if err := child.write(ctx); err != nil {
				return err
			}
		}
		return content.AtDigest(c.Descriptor.Digest, c.Index.write(ctx))
	}
	return nil
}
