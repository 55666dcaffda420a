package layout

import (
	"encoding/json"
	"hash/maphash"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/ocilayout/ocilayout/content"
)

// An Index is one reading of index.json. It does not hold the entries: it knows
// where they lie and what they are called, and reads them again when asked. It is
// good inside the View or Update that gave it.
type Index struct {
	src    io.ReaderAt
	size   int64
	spans  spans
	labels []label
	names  string // the names of all spans, one after the other

	fields    map[string]json.RawMessage // every top-level field but manifests
	open, end int64                      // offsets of the "[" and "]" of manifests; -1 if it is absent or null
	null      [2]int64                   // from and to of a manifests that is null
	tail      int64                      // offset of the last "}"
	empty     bool                       // the top-level object has no members
	arena     []byte                     // names while it is read
	types     map[string]string          // media types seen
	lastType  string                     // that of the entry before
	seen      summary                    // of the entry that is being read
	shapes    shapes                     // of the entries read so far
	visit     visitor                    // if set, gets the entries, and no span is kept
	wants     filter                     // if set, says which spans are kept
	kept      kept                       // their bytes
}

// A visitor gets what a scan sees of an entry, and its bytes, which it may not keep.
type visitor func(s *summary, raw []byte) error

// A filter says of which entries an Index is to know, for who looks for few of many.
// The names and the digest belong to the scan: they must not be kept.
type filter func(s Summary, digest []byte) bool

// A span is where an entry lies, and what is kept of it. There is one for each of
// very many entries, so it is small.
type span struct {
	off    int64
	digest uint32 // hash
	len    uint32
	label  uint32 // in Index.labels
	kind   Kind
	index  bool // by its media type
}

// A label is what an entry is called. The first one is that of entries without names.
type label struct{ name, ref text }

// text is a piece of Index.names.
type text struct{ off, len uint32 }

var digestSeed = maphash.MakeSeed()

// digestHash may be the same for digests that differ.
func digestHash(d content.Digest) uint32 {
	return uint32(maphash.String(digestSeed, string(d)))
}

// readIndex scans index.json once. With a visit, the Index is of no use afterwards;
// with wants, it is good for finding those entries alone.
func readIndex(src io.ReaderAt, size int64, limits content.Limits, visit visitor, wants filter) (*Index, error) {
	x := &Index{src: src, size: size, fields: map[string]json.RawMessage{}, open: -1, end: -1, types: map[string]string{}, visit: visit, wants: wants}
	s := newScanner(io.NewSectionReader(src, 0, size), limits)
	if size < int64(len(s.buf)) {
		s.buf = s.buf[:max(size, 16)]
	}
	if err := s.want('{'); err != nil {
		return nil, err
	}
	x.empty = true
	for {
		c, ok, err := s.next()
		if err != nil || !ok {
			return nil, firstError(err, errTorn())
		}
		if c == '}' && x.empty {
			break
		}
		if err := x.member(s, limits); err != nil {
			return nil, err
		}
		x.empty = false
		if c, ok, err = s.next(); err != nil || !ok {
			return nil, firstError(err, errTorn())
		}
		if c == '}' {
			break
		}
		if err := s.want(','); err != nil {
			return nil, err
		}
	}
	x.tail = s.base + int64(s.pos)
	x.names, x.arena = passing(x.arena), nil // nobody writes there any more
	s.pos++
	if _, more, err := s.next(); err != nil || more {
		return nil, firstError(err, s.errAt("data after the end"))
	}
	return x, x.check()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// member reads one top-level member.
func (x *Index) member(s *scanner, limits content.Limits) error {
	raw, _, err := s.value()
	if err != nil {
		return err
	}
	var key string
	if err := json.Unmarshal(raw, &key); err != nil || raw[0] != '"' {
		return s.errAt("expected a key")
	}
	if err := s.want(':'); err != nil {
		return err
	}
	if _, twice := x.fields[key]; twice || key == "manifests" && (x.open >= 0 || x.null[1] > 0) {
		return content.Errorf(content.ErrCorrupt, "key %q is there twice", key)
	}
	if key != "manifests" && strings.EqualFold(key, "manifests") {
		return content.Errorf(content.ErrCorrupt, "key %q is manifests to some readers and not to others", key)
	}
	if key != "manifests" {
		raw, _, err := s.value()
		if int64(len(raw)) > limits.Manifest || len(x.fields) > 1000 {
			return content.Errorf(content.ErrRefused, "field %q is over the limit", key)
		}
		x.fields[key] = slices.Clone(raw)
		return err
	}
	c, ok, err := s.next()
	if err != nil || !ok {
		return firstError(err, errTorn())
	}
	if c == '[' {
		return x.array(s)
	}
	raw, at, err := s.value()
	if err == nil && string(raw) != "null" {
		return s.errAt("manifests is not an array")
	}
	x.null = [2]int64{at, at + int64(len(raw))}
	return err
}

// array reads the entries.
func (x *Index) array(s *scanner) error {
	x.open = s.base + int64(s.pos)
	s.pos++
	if x.visit == nil && x.wants == nil {
		x.arena = make([]byte, 0, min(x.size/16, 1<<24))
	}
	for first := true; ; first = false {
		c, ok, err := s.next()
		if err != nil || !ok {
			return firstError(err, errTorn())
		}
		if c == ']' && first {
			break
		}
		if err := x.scanEntry(s); err != nil {
			return err
		}
		if c, ok, err = s.next(); err != nil || !ok {
			return firstError(err, errTorn())
		}
		if c == ']' {
			break
		}
		if err := s.want(','); err != nil {
			return err
		}
	}
	x.end = s.base + int64(s.pos)
	s.pos++
	return nil
}

// scanEntry reads one entry: in the one pass that steps over it, or in full where the
// quick look leaves a doubt.
func (x *Index) scanEntry(s *scanner) error {
	if _, ok, err := s.next(); err != nil || !ok {
		return firstError(err, errTorn())
	}
	for {
		b := s.buf[s.pos:s.end]
		n := x.shapes.match(b, &x.seen)
		if n == 0 {
			var err error
			if n, err = x.look(b, s); err == errShort {
				if err := s.fill(); err != nil {
					return err
				}
				continue
			} else if err != nil {
				return err
			}
		}
		var err error
		if x.visit != nil {
			err = x.visit(&x.seen, b[:n])
		} else {
			x.add(&x.seen, s.base+int64(s.pos), b[:n])
		}
		s.pos += n
		return err
	}
}

// look sums up the entry at the start of b, which has no shape that is known.
func (x *Index) look(b []byte, s *scanner) (n int, err error) {
	n, plain, err := quickEntry(b, s.depth, &x.seen)
	switch {
	case err == errShort:
		return 0, err
	case err != nil:
		s.pos += n
		return 0, s.errAt(err.Error())
	case plain:
		x.shapes.learn(b[:n], &x.seen)
		return n, nil
	}
	e, err := ParseEntry(b[:n])
	if err != nil {
		return 0, content.Errorf(content.ErrCorrupt, "entry %d: %w", x.spans.len(), err)
	}
	x.seen = summarize(e)
	return n, nil
}

func summarize(e Entry) summary {
	return summary{
		mediaType: []byte(e.MediaType), digest: []byte(e.Digest), artifactType: []byte(e.ArtifactType),
		imageName: []byte(e.Annotations[content.AnnotationImageName]), refName: []byte(e.RefName()),
		subject: []byte(e.Annotations[content.AnnotationSubject]),
		size:    strconv.AppendInt(nil, e.Size, 10), listed: []byte(listedSubject(e.Annotations)),
	}
}

func (x *Index) add(s *summary, off int64, raw []byte) {
	ref := passing(s.refName)
	name := ref
	if len(s.imageName) > 0 {
		name = passing(s.imageName)
	}
	mediaType := x.mediaType(s.mediaType)
	kind := kindOf(mediaType, isArtifact(passing(s.artifactType), passing(s.subject)), name)
	if x.wants != nil && !x.wants(Summary{name, ref, kind}, s.digest) {
		return
	}
	if x.wants != nil {
		x.kept.add(raw)
	}
	x.spans.add(span{
		off: off, digest: digestHash(content.Digest(passing(s.digest))), len: uint32(len(raw)), label: x.label(s),
		kind: kind, index: content.IsIndex(mediaType),
	})
}

// passing is b as a string that is good only until the scan goes on. A string of its
// own for each of many names would cost more than the scan.
func passing(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// mediaType is b as a string; the same one for equal types, of which there are few.
func (x *Index) mediaType(b []byte) string {
	if string(b) == x.lastType {
		return x.lastType
	}
	t, ok := x.types[string(b)]
	if !ok {
		t = string(b)
	}
	x.lastType = t
	if len(x.types) < 100 {
		x.types[t] = t
	}
	return t
}

// label keeps the names of an entry and returns their number.
func (x *Index) label(s *summary) uint32 {
	if len(x.labels) == 0 {
		x.labels = append(x.labels, label{})
	}
	if len(s.refName)+len(s.imageName) == 0 {
		return 0
	}
	l := label{ref: x.keep(s.refName)}
	l.name = l.ref
	if len(s.imageName) > 0 {
		l.name = x.keep(s.imageName)
	}
	x.labels = append(x.labels, l)
	return uint32(len(x.labels) - 1)
}

func (x *Index) keep(b []byte) text {
	t := text{uint32(len(x.arena)), uint32(len(b))}
	x.arena = append(x.arena, b...)
	return t
}

// summary is what is known of an entry without reading it again.
func (x *Index) summary(sp *span) Summary {
	l := x.labels[sp.label]
	return Summary{x.text(l.name), x.text(l.ref), sp.kind}
}

func (x *Index) text(t text) string { return x.names[t.off : t.off+t.len] }

// check holds what every reader relies on.
func (x *Index) check() error {
	var version int
	if raw := x.fields["schemaVersion"]; raw != nil && (json.Unmarshal(raw, &version) != nil || version != 2) {
		return content.Errorf(content.ErrUnsupported, "schemaVersion is %s, want 2", raw)
	}
	return nil
}

// Len is the number of entries.
func (x *Index) Len() int { return x.spans.len() }

// Field returns the bytes of a top-level field of index.json, such as annotations;
// nil if it is absent. Of manifests it knows nothing.
func (x *Index) Field(key string) json.RawMessage { return x.fields[key] }

// Fields lists the names of the top-level fields but manifests, sorted.
func (x *Index) Fields() []string {
	keys := make([]string, 0, len(x.fields))
	for key := range x.fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// A Summary is what an Index knows of an entry without reading it again.
type Summary struct {
	Name    string // as Entry.Name
	RefName string
	Kind    Kind
}

// Entries yields every entry, in order. An error ends it.
func (x *Index) Entries() iter.Seq2[Entry, error] {
	return x.EntriesIf(func(Summary) bool { return true })
}

// EntriesIf yields the entries that keep wants, in order; the others are not read.
// An error ends it.
func (x *Index) EntriesIf(keep func(Summary) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := x.window()
		for i := range x.spans.len() {
			sp := x.spans.at(i)
			if !keep(x.summary(sp)) {
				continue
			}
			e, err := w.entry(sp)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// entry reads entry i.
func (x *Index) entry(i int) (Entry, error) {
	w := window{src: x.src}
	return w.entry(x.spans.at(i))
}

// window reads spans in ascending order with few reads.
type window struct {
	src  io.ReaderAt
	size int // least that a read asks for
	buf  []byte
	off  int64
}

// window is for going through all entries.
func (x *Index) window() window {
	return window{src: x.src, size: int(min(x.size, scanWindow))}
}

// entry parses the entry at sp. Its Raw is a copy.
func (w *window) entry(sp *span) (Entry, error) {
	raw, err := w.raw(sp)
	if err != nil {
		return Entry{}, content.At("index.json", err)
	}
	e, err := ParseEntry(slices.Clone(raw))
	return e, content.At("index.json", err)
}

// raw is the bytes of the entry at sp, good until the next call.
func (w *window) raw(sp *span) ([]byte, error) {
	if sp.off < w.off || sp.off+int64(sp.len) > w.off+int64(len(w.buf)) {
		buf := w.buf[:0]
		buf = slices.Grow(buf, max(w.size, int(sp.len)))
		buf = buf[:cap(buf)]
		n, err := w.src.ReadAt(buf, sp.off)
		if n < int(sp.len) {
			return nil, content.Errorf(content.ErrCorrupt, "changed while it was read: %w", firstError(err, io.ErrUnexpectedEOF))
		}
		w.buf, w.off = buf[:n], sp.off
	}
	at := sp.off - w.off
	return w.buf[at : at+int64(sp.len)], nil
}

// ByDigest returns the entries of a digest, in order; none is no error.
func (x *Index) ByDigest(d content.Digest) ([]Entry, error) {
	var found []Entry
	h := digestHash(d)
	for i := range x.spans.len() {
		if x.spans.at(i).digest != h {
			continue
		}
		e, err := x.entry(i)
		if err != nil {
			return nil, err
		}
		if e.Digest == d {
			found = append(found, e)
		}
	}
	return found, nil
}

// Resolve finds the entry that a name means. It matches in this order: the exact
// name; the same name to docker (app is docker.io/library/app:latest); the tag or
// the end of a longer name, if only one digest has it. The empty name means the
// only image, or else the one called latest. Nothing is ErrNotFound; several is
// ErrAmbiguous, with the choices.
func (x *Index) Resolve(name string) (Entry, error) {
	return lookup{x.spans.len(), x.live, x.entry}.resolve(name)
}

// live says what entry i is called and which class it has.
func (x *Index) live(i int) (Summary, bool) {
	return x.summary(x.spans.at(i)), true
}
