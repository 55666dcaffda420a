package layout

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// listEdits are the changes that a Tx makes to lists of referrers: indexes under
// fallback tags (distribution-spec, "Referrers Tag Schema"). Each list is read and
// written once, when fn has returned, however often it was changed.
type listEdits struct {
	tags     []string // in the order of their first change
	edits    map[string]*listEdit
	batch    *Batch // of the new lists
	replaced []content.Descriptor
}

type listEdit struct {
	add    []json.RawMessage
	remove map[content.Digest]bool
}

func (l *listEdits) of(tag string) *listEdit {
	if l.edits == nil {
		l.edits = map[string]*listEdit{}
	}
	e := l.edits[tag]
	if e == nil {
		e = &listEdit{remove: map[content.Digest]bool{}}
		l.edits[tag] = e
		l.tags = append(l.tags, tag)
	}
	return e
}

func (l *listEdits) close() error {
	if l.batch == nil {
		return nil
	}
	return l.batch.Close()
}

// AddReferrer puts artifacts, whose manifests must have subject as theirs
// (ErrInvalid), on the list of subject's referrers, which is made if need be: an
// index under FallbackTag. What is on it already stays, byte for byte. The list
// shows in index.json when fn has returned; many changes of one list write it once.
// The list that it replaces is removed after the change, unless something else
// leads to it.
//
// The artifacts are in b, which is published, or if b is nil in the layout.
func (tx *Tx) AddReferrer(ctx context.Context, b *Batch, subject content.Descriptor, artifacts ...content.Descriptor) error {
	if err := content.CheckDigest(subject.Digest); err != nil {
		return err
	}
	var from content.Fetcher = tx.l
	if b != nil {
		if err := b.Publish(ctx); err != nil {
			return err
		}
		from = b
	}
	for _, d := range artifacts {
		m, _, err := content.FetchManifest(ctx, from, d, tx.l.Limits())
		if err != nil {
			return err
		}
		if m.Subject == nil || m.Subject.Digest != subject.Digest {
			return content.AtDigest(d.Digest, content.Errorf(content.ErrInvalid, "%s is not its subject", subject.Digest))
		}
		if err := tx.list(subject.Digest, asReferrer(d, m)); err != nil {
			return err
		}
	}
	return nil
}

// list puts a referrer on the list of its subject's.
func (tx *Tx) list(subject content.Digest, referrer content.Descriptor) error {
	raw, err := rawjson.Marshal(referrer)
	if err != nil {
		return err
	}
	e := tx.lists.of(FallbackTag(subject))
	delete(e.remove, referrer.Digest)
	e.add = append(e.add, raw)
	return nil
}

// RemoveReferrer takes an artifact off the list of subject's referrers; the list
// goes when nothing is left on it. An artifact that is not on it, or no list, is no
// error. Other entries that lead to the artifact stay. b is not used.
func (tx *Tx) RemoveReferrer(_ context.Context, _ *Batch, subject, artifact content.Digest) error {
	if err := content.CheckDigest(subject); err != nil {
		return err
	}
	tx.unlist(FallbackTag(subject), artifact)
	return nil
}

// unlist takes an artifact off the list under a tag.
func (tx *Tx) unlist(tag string, artifact content.Digest) {
	e := tx.lists.of(tag)
	e.add = slices.DeleteFunc(e.add, func(raw json.RawMessage) bool { return digestOf(raw) == artifact })
	e.remove[artifact] = true
}

// writeLists makes the changes of lists part of the Tx.
func (tx *Tx) writeLists(ctx context.Context) error {
	var fresh []Entry
	for _, tag := range tx.lists.tags {
		e, err := tx.writeList(ctx, tag, tx.lists.edits[tag])
		if err != nil {
			return content.At(tag, err)
		}
		if e.Digest != "" {
			fresh = append(fresh, e)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := tx.lists.batch.Publish(ctx); err != nil {
		return err
	}
	for _, e := range fresh {
		if _, err := tx.Bring(e, Overwrite); err != nil {
			return err
		}
	}
	return nil
}

// writeList stages the changed list of a tag and returns its entry: an empty one if
// nothing has changed, or the list is gone.
func (tx *Tx) writeList(ctx context.Context, tag string, edit *listEdit) (Entry, error) {
	old, index, children, err := tx.currentList(ctx, tag)
	if err != nil {
		return Entry{}, err
	}
	kept := slices.DeleteFunc(slices.Clone(children), func(raw json.RawMessage) bool { return edit.remove[digestOf(raw)] })
	removed := len(kept) < len(children)
	listed := map[content.Digest]bool{}
	for _, raw := range kept {
		listed[digestOf(raw)] = true
	}
	before := len(kept)
	for _, raw := range edit.add {
		if d := digestOf(raw); !listed[d] {
			listed[d] = true
			kept = append(kept, raw)
		}
	}
	switch {
	case !removed && len(kept) == before:
		return Entry{}, nil
	case len(kept) == 0:
		tx.lists.replaced = append(tx.lists.replaced, old.Descriptor)
		_, err := tx.Untag(tag)
		return Entry{}, err
	}
	index.Set("manifests", rawjson.Array(kept))
	data := index.Bytes()
	if limit := tx.l.Limits().Index; int64(len(data)) > limit {
		return Entry{}, content.Errorf(content.ErrRefused, "the list of referrers would be over the limit of %d bytes", limit)
	}
	if tx.lists.batch == nil {
		tx.lists.batch = tx.l.Batch()
	}
	desc, err := tx.lists.batch.PushBytes(ctx, ocispec.MediaTypeImageIndex, data)
	if err != nil {
		return Entry{}, err
	}
	if old.Raw == nil {
		return NewEntry(desc).withNames("", tag), nil
	}
	tx.lists.replaced = append(tx.lists.replaced, old.Descriptor)
	return old.WithContent(desc), nil
}

// currentList reads the list under a tag. One that can't be read is replaced by a
// new one, with a warning; a tag that is no list's is ErrConflict.
func (tx *Tx) currentList(ctx context.Context, tag string) (Entry, *rawjson.Object, []json.RawMessage, error) {
	have := tx.called(tag)
	if len(have) == 0 {
		return Entry{}, emptyList(), nil, nil
	}
	old, err := tx.at(have[0])
	if err != nil {
		return Entry{}, nil, nil, err
	}
	if !content.IsIndex(old.MediaType) {
		return Entry{}, nil, nil, content.Errorf(content.ErrConflict, "is not a list of referrers but a %s", old.MediaType)
	}
	index, children, err := readList(ctx, tx.l, old.Descriptor, tx.l.Limits())
	if errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrCorrupt) {
		tx.l.o.Warn(content.At(tag, content.Errorf(content.ErrCorrupt, "the list of referrers can't be read and is begun anew: %w", err)))
		return old, emptyList(), nil, nil
	}
	return old, index, children, err
}

// readList reads an index of referrers: its fields, and its children one by one.
func readList(ctx context.Context, f content.Fetcher, desc content.Descriptor, limits content.Limits) (*rawjson.Object, []json.RawMessage, error) {
	data, err := content.FetchAll(ctx, f, desc, limits.Index)
	if err != nil {
		return nil, nil, err
	}
	index, err := rawjson.Parse(data)
	if err != nil {
		return nil, nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	var children []json.RawMessage
	if raw := index.Get("manifests"); raw != nil {
		if err := json.Unmarshal(raw, &children); err != nil {
			return nil, nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrCorrupt, "manifests: %w", err))
		}
	}
	return index, children, nil
}

// A referrerList is what an index under a fallback tag lists.
type referrerList struct {
	tag      string
	children []content.Descriptor
}

// mergeList makes the index under the list's tag hold at least its children. What
// it holds besides stays, byte for byte.
func (tx *Tx) mergeList(list referrerList) error {
	e := tx.lists.of(list.tag)
	for _, d := range list.children {
		raw, err := rawjson.Marshal(d)
		if err != nil {
			return err
		}
		e.add = append(e.add, raw)
	}
	return nil
}

// MergeList brings in a list of referrers of another layout, an entry of
// KindFallback whose blob is in b: as it is, or what it lists is added to the list
// that this layout has under that name. What is there already stays.
func (tx *Tx) MergeList(ctx context.Context, b *Batch, e Entry) error {
	if len(tx.called(e.Name())) == 0 {
		_, err := tx.Bring(e, Overwrite)
		return err
	}
	_, children, err := readList(ctx, b, e.Descriptor, tx.l.Limits())
	if err != nil {
		return err
	}
	edit := tx.lists.of(e.Name())
	edit.add = append(edit.add, children...)
	return nil
}

func emptyList() *rawjson.Object {
	o := &rawjson.Object{}
	o.Set("schemaVersion", json.RawMessage("2"))
	o.SetString("mediaType", ocispec.MediaTypeImageIndex)
	return o
}

// digestOf is the digest of a descriptor; of what is none, its bytes.
func digestOf(raw json.RawMessage) content.Digest {
	if d, ok := quickDescriptor(raw); ok && d.Digest != "" {
		return d.Digest
	}
	var d struct {
		Digest content.Digest `json:"digest"`
	}
	if json.Unmarshal(raw, &d) != nil || d.Digest == "" {
		return content.Digest(raw)
	}
	return d.Digest
}
