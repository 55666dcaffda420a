package catalog

import (
	"encoding/binary"
	"math"

	"github.com/ocilayout/ocilayout/content"
)

// A Ref points at a manifest or index.
type Ref struct {
	Digest    content.Digest
	MediaType string
	Size      int64
}

// Descriptor is r as a descriptor.
func (r Ref) Descriptor() content.Descriptor {
	return content.Descriptor{MediaType: r.MediaType, Digest: r.Digest, Size: r.Size}
}

// A Child is what an index lists. MediaType is "" for what has no edges.
type Child struct {
	Ref
	ArtifactType string // as the index says
	about        string // short form of what BuildKit says this attests
}

// A record is what the catalog keeps of one manifest.
type record struct {
	mediaType byte
	size      int64
	subject   string   // short form; "" for none
	edges     []string // short forms of config, layers and blobs
	children  []Child
}

func newRecord(ref Ref, m content.Manifest) record {
	r := record{mediaType: typeNumber(ref.MediaType), size: ref.Size}
	if m.Subject != nil {
		r.subject = short(m.Subject.Digest)
	}
	for _, e := range m.Edges() {
		switch e.Role {
		case content.RoleSubject:
		case content.RoleManifest:
			c := Child{Ref: Ref{Digest: e.To.Digest, Size: e.To.Size}, ArtifactType: e.To.ArtifactType}
			if content.CheckDigest(c.Digest) != nil || c.Size < 0 {
				continue // leads nowhere
			}
			if content.HasEdges(e.To.MediaType) {
				c.MediaType = e.To.MediaType
			}
			if of := e.To.Annotations[content.AnnotationReferenceDigest]; of != "" && content.IsAttestation(e.To) {
				c.about = short(content.Digest(of))
			}
			r.children = append(r.children, c)
		default:
			r.edges = append(r.edges, short(e.To.Digest))
		}
	}
	return r
}

// encode gives the record's bytes: type, size, subject, edges, artifact types and
// children, each list behind its length.
func (r record) encode() []byte {
	b := []byte{r.mediaType}
	b = binary.AppendUvarint(b, uint64(r.size))
	b = appendText(b, r.subject)
	b = binary.AppendUvarint(b, uint64(len(r.edges)))
	for _, e := range r.edges {
		b = append(b, e...)
	}
	numbers := map[string]uint64{}
	var types []string
	for _, c := range r.children {
		if _, ok := numbers[c.ArtifactType]; !ok {
			numbers[c.ArtifactType] = uint64(len(types))
			types = append(types, c.ArtifactType)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(types)))
	for _, t := range types {
		b = appendText(b, t)
	}
	b = binary.AppendUvarint(b, uint64(len(r.children)))
	for _, c := range r.children {
		b = appendDigest(b, c.Digest)
		b = append(b, typeNumber(c.MediaType))
		b = binary.AppendUvarint(b, uint64(c.Size))
		b = binary.AppendUvarint(b, numbers[c.ArtifactType])
		b = appendText(b, c.about)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeRecord reads what encode wrote; anything else is ErrDamaged.
func decodeRecord(b []byte) (record, error) {
	d := decoder{b: b}
	r := record{mediaType: d.byte(), size: d.size(), subject: d.text()}
	for range d.count(shortSize) {
		r.edges = append(r.edges, string(d.bytes(shortSize)))
	}
	var types []string
	for range d.count(1) {
		types = append(types, d.text())
	}
	if n := d.count(4); n > 0 {
		r.children = make([]Child, 0, n)
		for range n {
			r.children = append(r.children, d.child(types))
		}
	}
	if d.bad || len(d.b) > 0 || r.subject != "" && len(r.subject) != shortSize {
		return record{}, ErrDamaged
	}
	return r, nil
}

// decoder reads fields, and remembers that one was not to be had.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return make([]byte, min(n, shortSize))
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) byte() byte { return d.bytes(1)[0] }

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) size() int64 {
	v := d.number()
	d.bad = d.bad || v > math.MaxInt64
	return int64(v)
}

// count reads the length of a list whose items have at least that many bytes.
func (d *decoder) count(least int) int {
	n := d.number()
	if n > uint64(len(d.b)/least) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) text() string { return string(d.bytes(d.count(1))) }

func (d *decoder) child(types []string) Child {
	var c Child
	var err error
	if c.Digest, d.b, err = cutDigest(d.b); err != nil {
		d.bad = true
		return c
	}
	if c.MediaType, err = typeOf(d.byte()); err != nil {
		d.bad = true
	}
	c.Size = d.size()
	if n := d.number(); n < uint64(len(types)) {
		c.ArtifactType = types[n]
	} else {
		d.bad = true
	}
	c.about = d.text()
	return c
}
