package export

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// An entry is a root of the archive: what is asked of it often, and where the bytes
// are that it will have there. There may be a hundred thousand, so that it holds
// numbers in place of texts.
type entry struct {
	name      span // in entries.names
	packed    span // in entries.packed
	size      int  // of its bytes
	id        digestID
	mediaType wordID
	subject   digestID // what it belongs to; 0 for none
	class     layout.Kind
	image     bool // one that can run, or an index of such
	chosen    bool
}

// A span is a piece of one of the texts of entries.
type span struct{ off, len uint32 }

// entries are those of an archive.
type entries struct {
	*graph
	list   []entry
	names  []byte
	packed list[byte]
	size   int64 // of index.json
}

// maxText is how long all names, and all packed entries, may be together.
const maxText = 1 << 31

// add makes the canonical entry of a root.
func (x *entries) add(e layout.Entry, f facts, image, chosen bool) error {
	e, err := canonical(e, f)
	if err != nil {
		return content.AtDigest(e.Digest, err)
	}
	name := e.Name()
	made := entry{
		name: span{uint32(len(x.names)), uint32(len(name))}, size: len(e.Raw), id: x.id(e.Digest),
		mediaType: x.words.id(e.MediaType), subject: x.id(subjectOf(e, f)), class: class(e),
		image: e.IsImage() && (image || content.IsIndex(e.MediaType)), chosen: chosen,
	}
	made.packed.off = uint32(x.packed.len())
	x.pack(e.Raw)
	made.packed.len = uint32(x.packed.len()) - made.packed.off
	x.names = append(x.names, name...)
	if len(x.names) > maxText || x.packed.len() > maxText {
		return content.Errorf(content.ErrRefused, "entries are larger than %d bytes", maxText)
	}
	x.list = append(x.list, made)
	return nil
}

// subjectOf is what an entry belongs to.
func subjectOf(e layout.Entry, f facts) content.Digest {
	if d := content.Digest(e.Annotations[content.AnnotationSubject]); d != "" {
		return d
	}
	return cmp.Or(f.subject, e.CosignSubject())
}

// name is what an entry is called. It is good until the next add.
func (x *entries) name(e entry) []byte { return x.names[e.name.off : e.name.off+e.name.len] }

// sort puts the entries into their order, by class, name, digest and bytes, and
// drops equal ones.
func (x *entries) sort() {
	var rawA, rawB []byte
	slices.SortFunc(x.list, func(a, b entry) int {
		c := cmp.Or(cmp.Compare(a.class, b.class), bytes.Compare(x.name(a), x.name(b)), x.compare(a.id, b.id))
		if c == 0 {
			rawA, rawB = x.appendRaw(rawA[:0], a), x.appendRaw(rawB[:0], b)
			c = bytes.Compare(rawA, rawB)
		}
		return c
	})
	x.list = slices.CompactFunc(x.list, func(a, b entry) bool {
		if a.id != b.id || a.size != b.size {
			return false
		}
		rawA, rawB = x.appendRaw(rawA[:0], a), x.appendRaw(rawB[:0], b)
		return bytes.Equal(rawA, rawB)
	})
	x.size = int64(len(indexHead) + len(indexTail) + max(len(x.list)-1, 0))
	for _, e := range x.list {
		x.size += int64(e.size)
	}
}

const (
	indexHead = `{"schemaVersion":2,"mediaType":"` + mediaTypeIndex + `","manifests":[`
	indexTail = "]}\n"
)

// index is the archive's index.json: x.size bytes.
func (x *entries) index(ctx context.Context, f *filler) error {
	raw := []byte(indexHead)
	for i, e := range x.list {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = x.appendRaw(raw, e)
		if _, err := f.Write(raw); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		raw = raw[:0]
	}
	_, err := f.Write(append(raw, indexTail...))
	return err
}
