package mutate

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// A tarHeader is the blocks of one member's headers, taken apart so that one field can
// be changed and everything else keep its bytes: the form of the archive (V7, ustar,
// GNU, PAX), records and fields that nobody here knows, the spelling of numbers.
type tarHeader struct {
	extras  []extra
	records []record // of the last PAX header, which is the one that counts
	dirty   bool     // records are to be written anew
	block   []byte   // the header itself
}

// An extra is a header before the header: PAX records, or a long name of GNU's.
type extra struct {
	block []byte
	body  []byte // without padding
}

type record struct{ key, value string }

// The fields of a header block: where they begin and how long they are.
type field struct{ at, size int }

var (
	fieldName     = field{0, 100}
	fieldMode     = field{100, 8}
	fieldUID      = field{108, 8}
	fieldGID      = field{116, 8}
	fieldSize     = field{124, 12}
	fieldTime     = field{136, 12}
	fieldSum      = field{148, 8}
	fieldLink     = field{157, 100}
	fieldMagic    = field{257, 8}
	fieldUname    = field{265, 32}
	fieldGname    = field{297, 32}
	fieldPrefix   = field{345, 155}
	fieldGNUAtime = field{345, 12}
	fieldGNUCtime = field{357, 12}
)

const typeAt = 156

func (f field) of(block []byte) []byte { return block[f.at : f.at+f.size] }

// splitHeader takes apart the blocks of one member, which archive/tar has read. The
// blocks are copied where they can be changed.
func splitHeader(blocks []byte) (*tarHeader, error) {
	h := &tarHeader{}
	for len(blocks) > blockSize {
		e := extra{block: bytes.Clone(blocks[:blockSize])}
		size, ok := parseOctal(fieldSize.of(e.block))
		if !ok || size > int64(len(blocks)-2*blockSize) {
			return nil, content.Errorf(content.ErrUnsupported, "a header before a header has an unusual size")
		}
		e.body = blocks[blockSize : blockSize+size]
		h.extras = append(h.extras, e)
		blocks = blocks[blockSize+size+tarx.Padding(size):]
		if e.block[typeAt] == tar.TypeXHeader {
			var err error
			if h.records, err = parseRecords(e.body); err != nil {
				return nil, err
			}
		}
	}
	h.block = bytes.Clone(blocks)
	return h, nil
}

func parseOctal(b []byte) (int64, bool) {
	s := strings.Trim(string(b), " \x00")
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(s, 8, 64)
	return n, err == nil && n >= 0
}

// parseRecords reads PAX records: "length key=value\n".
func parseRecords(b []byte) ([]record, error) {
	var list []record
	for len(b) > 0 {
		digits, _, ok := bytes.Cut(b, []byte{' '})
		n, err := strconv.Atoi(string(digits))
		if !ok || err != nil || n <= len(digits)+1 || n > len(b) {
			return nil, content.Errorf(content.ErrCorrupt, "a PAX header is damaged")
		}
		key, value, ok := strings.Cut(strings.TrimSuffix(string(b[len(digits)+1:n]), "\n"), "=")
		if !ok {
			return nil, content.Errorf(content.ErrCorrupt, "a PAX header is damaged")
		}
		list = append(list, record{key, value})
		b = b[n:]
	}
	return list, nil
}

func (r record) append(b []byte) []byte {
	rest := len(r.key) + len(r.value) + 3 // space, "=" and newline
	n := rest + len(strconv.Itoa(rest))
	if len(strconv.Itoa(n)) > len(strconv.Itoa(rest)) {
		n = rest + len(strconv.Itoa(n))
	}
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, ' ')
	b = append(b, r.key...)
	b = append(b, '=')
	b = append(b, r.value...)
	return append(b, '\n')
}

func (h *tarHeader) has(key string) bool {
	return slices.ContainsFunc(h.records, func(r record) bool { return r.key == key })
}

func (h *tarHeader) drop(key string) {
	n := len(h.records)
	h.records = slices.DeleteFunc(h.records, func(r record) bool { return r.key == key })
	h.dirty = h.dirty || len(h.records) != n
}

func (h *tarHeader) set(key, value string) {
	h.dirty = true
	for i := range h.records {
		if h.records[i].key == key {
			h.records[i].value = value
			return
		}
	}
	h.records = append(h.records, record{key, value})
}

// dropLong removes GNU's header for a long name or link.
func (h *tarHeader) dropLong(kind byte) {
	h.extras = slices.DeleteFunc(h.extras, func(e extra) bool { return e.block[typeAt] == kind })
}

func putOctal(b []byte, v int64) { copy(b, fmt.Sprintf("%0*o\x00", len(b)-1, v)) }

func fitsOctal(f field, v int64) bool { return v >= 0 && v < 1<<(3*(f.size-1)) }

// number writes a number into its field, or into a record if it does not fit.
func (h *tarHeader) number(f field, key string, v int64) {
	if fitsOctal(f, v) {
		putOctal(f.of(h.block), v)
		h.drop(key)
		return
	}
	putOctal(f.of(h.block), 0)
	h.set(key, strconv.FormatInt(v, 10))
}

// text writes a text into its field, or into a record if it does not fit.
func (h *tarHeader) text(f field, key, v string) {
	b := f.of(h.block)
	clear(b)
	plain := true
	for i := range len(v) {
		plain = plain && v[i] < 0x80
	}
	if plain && len(v) <= f.size {
		copy(b, v)
		h.drop(key)
		return
	}
	copy(b, strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return '_'
		}
		return r
	}, v))
	h.set(key, v)
}

func (h *tarHeader) isGNU() bool { return string(fieldMagic.of(h.block)) == "ustar  \x00" }

// isUstar says whether the block has the field that goes before the name.
func (h *tarHeader) isUstar() bool {
	return string(fieldMagic.of(h.block)[:6]) == "ustar\x00"
}

func (h *tarHeader) name(v string) {
	h.dropLong(tar.TypeGNULongName)
	h.text(fieldName, "path", v)
	if h.isUstar() {
		clear(fieldPrefix.of(h.block))
	}
}

// owner writes the name of a user or group, for which V7 headers have no field.
func (h *tarHeader) owner(f field, key, v string) {
	switch {
	case h.isUstar() || h.isGNU():
		h.text(f, key, v)
	case v == "":
		h.drop(key)
	default:
		h.set(key, v)
	}
}

// mtime writes the time of modification: a fraction, or a time before 1970, as a record.
func (h *tarHeader) mtime(t time.Time) {
	secs := t.Unix()
	if t.Nanosecond() == 0 && fitsOctal(fieldTime, secs) {
		h.drop("mtime")
	} else {
		h.set("mtime", paxTime(t))
	}
	secs = min(max(secs, 0), 1<<33-1)
	putOctal(fieldTime.of(h.block), secs)
	for _, e := range h.extras {
		if was, ok := parseOctal(fieldTime.of(e.block)); ok && was != 0 {
			putOctal(fieldTime.of(e.block), secs)
		}
	}
}

// otherTime writes the time of access or change where the header has it.
func (h *tarHeader) otherTime(key string, f field, t time.Time) {
	switch {
	case h.has(key) && t.IsZero():
		h.drop(key)
	case h.has(key):
		h.set(key, paxTime(t))
	case h.isGNU() && t.IsZero():
		clear(f.of(h.block))
	case h.isGNU():
		putOctal(f.of(h.block), min(max(t.Unix(), 0), 1<<33-1))
	case !t.IsZero():
		h.set(key, paxTime(t))
	}
}

// paxTime writes a time as PAX has it: decimal seconds, with what fraction there is.
func paxTime(t time.Time) string {
	secs, nanos := t.Unix(), int64(t.Nanosecond())
	sign := ""
	if secs < 0 && nanos > 0 {
		secs, nanos = -(secs + 1), 1e9-nanos
		sign = "-"
	}
	s := sign + strconv.FormatInt(secs, 10)
	if nanos > 0 {
		s += strings.TrimRight(fmt.Sprintf(".%09d", nanos), "0")
	}
	return s
}

// bytes puts the blocks together again.
func (h *tarHeader) bytes() []byte {
	var b []byte
	lastPAX := -1
	for i, e := range h.extras {
		if e.block[typeAt] == tar.TypeXHeader {
			lastPAX = i
		}
	}
	if lastPAX < 0 && len(h.records) > 0 {
		b = h.appendRecords(b, newPAXBlock(h.block))
	}
	for i, e := range h.extras {
		switch {
		case e.block[typeAt] != tar.TypeXHeader || !h.dirty:
			b = appendExtra(b, e)
		case i == lastPAX && len(h.records) > 0:
			b = h.appendRecords(b, e.block)
		}
	}
	putSum(h.block)
	return append(b, h.block...)
}

func (h *tarHeader) appendRecords(b, block []byte) []byte {
	var body []byte
	for _, r := range h.records {
		body = r.append(body)
	}
	putOctal(fieldSize.of(block), int64(len(body)))
	return appendExtra(b, extra{block, body})
}

func appendExtra(b []byte, e extra) []byte {
	putSum(e.block)
	b = append(b, e.block...)
	b = append(b, e.body...)
	return append(b, zeroBlock[:tarx.Padding(int64(len(e.body)))]...)
}

// newPAXBlock makes the header of PAX records for a member that had none.
func newPAXBlock(of []byte) []byte {
	b := make([]byte, blockSize)
	name := bytes.TrimRight(fieldName.of(of), "\x00")
	copy(b, "PaxHeaders.0/"+string(name[bytes.LastIndexByte(bytes.TrimRight(name, "/"), '/')+1:]))
	clear(b[fieldName.size:])
	for _, f := range []field{fieldMode, fieldUID, fieldGID, fieldTime} {
		putOctal(f.of(b), 0)
	}
	b[typeAt] = tar.TypeXHeader
	copy(fieldMagic.of(b), "ustar\x0000")
	return b
}

// putSum writes the sum of a block's bytes, its own field counted as spaces, unless it
// is there.
func putSum(block []byte) {
	field := fieldSum.of(block)
	sum := int64(len(field)) * ' '
	for i, c := range block {
		if i < fieldSum.at || i >= fieldSum.at+fieldSum.size {
			sum += int64(c)
		}
	}
	if was, ok := parseOctal(field); !ok || was != sum {
		copy(field, fmt.Sprintf("%06o\x00 ", sum))
	}
}

// encodeHeader returns the blocks for is, which was read as was from blocks. Fields in
// which the two agree keep their bytes.
func encodeHeader(blocks []byte, was, is *tar.Header) ([]byte, error) {
	h, err := splitHeader(blocks)
	if err != nil {
		return nil, err
	}
	h.changeRecords(was.PAXRecords, is.PAXRecords)
	if is.Name != was.Name {
		h.name(is.Name)
	}
	if is.Linkname != was.Linkname {
		h.dropLong(tar.TypeGNULongLink)
		h.text(fieldLink, "linkpath", is.Linkname)
	}
	if is.Mode != was.Mode {
		putOctal(fieldMode.of(h.block), is.Mode&0o7777777)
	}
	if is.Uid != was.Uid {
		h.number(fieldUID, "uid", int64(is.Uid))
	}
	if is.Gid != was.Gid {
		h.number(fieldGID, "gid", int64(is.Gid))
	}
	if is.Uname != was.Uname {
		h.owner(fieldUname, "uname", is.Uname)
	}
	if is.Gname != was.Gname {
		h.owner(fieldGname, "gname", is.Gname)
	}
	if is.Size != was.Size {
		h.number(fieldSize, "size", is.Size)
	}
	if !is.ModTime.Equal(was.ModTime) {
		h.mtime(is.ModTime)
	}
	if !is.AccessTime.Equal(was.AccessTime) {
		h.otherTime("atime", fieldGNUAtime, is.AccessTime)
	}
	if !is.ChangeTime.Equal(was.ChangeTime) {
		h.otherTime("ctime", fieldGNUCtime, is.ChangeTime)
	}
	return h.bytes(), nil
}

// fieldRecords are the records that say what a field of the header says: they follow the
// field.
var fieldRecords = map[string]bool{"path": true, "linkpath": true, "size": true, "uid": true, "gid": true,
	"uname": true, "gname": true, "mtime": true, "atime": true, "ctime": true}

// changeRecords brings in what a filter did to the other PAX records.
func (h *tarHeader) changeRecords(was, is map[string]string) {
	if maps.Equal(was, is) {
		return
	}
	for key := range was {
		if _, ok := is[key]; !ok && !fieldRecords[key] {
			h.drop(key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if value, ok := was[key]; (!ok || value != is[key]) && !fieldRecords[key] {
			h.set(key, is[key])
		}
	}
}
