package layout

import (
	"bytes"
	"context"
	"encoding/json"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// A referrerList is what an index under a fallback tag lists (distribution-spec,
// "Referrers Tag Schema").
type referrerList struct {
	tag      string
	children []content.Descriptor
}

// mergeList makes the index under the list's tag hold at least its children. What
// it holds besides stays, byte for byte.
func (t *transfer) mergeList(ctx context.Context, tx *Tx, list referrerList) error {
	var children []json.RawMessage
	for _, d := range list.children {
		raw, err := rawjson.Marshal(d)
		if err != nil {
			return err
		}
		children = append(children, raw)
	}
	return t.mergeChildren(ctx, tx, list.tag, children)
}

// mergeEntry brings in a list of the source as it is, or adds what is in it to the
// one that the destination has.
func (t *transfer) mergeEntry(ctx context.Context, tx *Tx, e Entry) error {
	have := tx.called(e.Name())
	if len(have) == 0 {
		_, err := tx.Bring(e, Overwrite)
		return err
	}
	_, children, err := t.readList(ctx, e)
	if err != nil {
		return err
	}
	return t.mergeChildren(ctx, tx, e.Name(), children)
}

// mergeChildren adds children to the list under a tag, which is made if need be.
func (t *transfer) mergeChildren(ctx context.Context, tx *Tx, tag string, children []json.RawMessage) error {
	var old Entry
	var all []json.RawMessage
	index := emptyList()
	if have := tx.called(tag); len(have) > 0 {
		var err error
		if old, err = tx.at(have[0]); err != nil {
			return err
		}
		if index, all, err = t.readList(ctx, old); err != nil {
			return err
		}
	}
	before := len(all)
	listed := map[content.Digest]bool{}
	for _, raw := range all {
		listed[digestOf(raw)] = true
	}
	for _, raw := range children {
		if d := digestOf(raw); !listed[d] {
			listed[d] = true
			all = append(all, raw)
		}
	}
	if len(all) == before {
		return nil
	}
	index.Set("manifests", joinArray(all))
	desc, err := t.batch.PushBytes(ctx, ocispec.MediaTypeImageIndex, index.Bytes())
	if err != nil {
		return err
	}
	if err := t.batch.Publish(ctx); err != nil {
		return err
	}
	fresh := NewEntry(desc).withNames("", tag)
	if old.Raw != nil {
		fresh = old.WithContent(desc)
	}
	_, err = tx.Bring(fresh, Overwrite)
	return err
}

// readList reads an index of referrers: its fields, and its children one by one.
func (t *transfer) readList(ctx context.Context, e Entry) (*rawjson.Object, []json.RawMessage, error) {
	data, err := content.FetchAll(ctx, t.batch, e.Descriptor, t.dst.Limits().Index)
	if err != nil {
		return nil, nil, err
	}
	index, err := rawjson.Parse(data)
	if err != nil {
		return nil, nil, content.AtDigest(e.Digest, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	var children []json.RawMessage
	if raw := index.Get("manifests"); raw != nil {
		if err := json.Unmarshal(raw, &children); err != nil {
			return nil, nil, content.AtDigest(e.Digest, content.Errorf(content.ErrCorrupt, "manifests: %w", err))
		}
	}
	return index, children, nil
}

func emptyList() *rawjson.Object {
	o := &rawjson.Object{}
	o.Set("schemaVersion", json.RawMessage("2"))
	o.SetString("mediaType", ocispec.MediaTypeImageIndex)
	return o
}

// digestOf is the digest of a descriptor; of what is none, its bytes.
func digestOf(raw json.RawMessage) content.Digest {
	var d struct {
		Digest content.Digest `json:"digest"`
	}
	if json.Unmarshal(raw, &d) != nil || d.Digest == "" {
		return content.Digest(raw)
	}
	return d.Digest
}

func joinArray(items []json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(item)
	}
	b.WriteByte(']')
	return b.Bytes()
}
