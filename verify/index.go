package verify

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// indexFile is the address of what is wrong with index.json itself.
var indexFile = at{path: "index.json"}

// readIndex reads index.json value by value, holding one entry at a time, and
// calls entry for each that can be decoded. It is stricter than the store, which
// reads what every tool reads; what it can't go past it reports and stops at.
func (c *checker) readIndex(r io.Reader, entry func(raw []byte, n int)) {
	budget := &budgetReader{r: r}
	d := json.NewDecoder(budget)
	d.UseNumber()
	x := indexReader{checker: c, budget: budget, d: d, entry: entry, seen: map[string]string{}}
	err := x.read()
	var failed *fs.PathError
	switch {
	case err == nil:
	case errors.As(err, &failed):
		c.errorf(BlobUnreadable, indexFile, "%v", failed.Err)
	case errors.Is(err, io.ErrShortBuffer):
		c.errorf(TooLarge, indexFile, "one value is over the limit of %d bytes", c.limits.Manifest)
	case errors.Is(err, errReported):
	case errors.Is(err, content.ErrRefused):
		c.errorf(TooLarge, indexFile, "%v", err)
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		c.errorf(JSONInvalid, indexFile, "ends in the middle")
	case strings.HasSuffix(err.Error(), "exceeded max depth"): // of encoding/json, far above ours
		c.errorf(Depth, indexFile, "JSON nests deeper than the limit of %d", c.limits.Depth)
	default:
		c.errorf(JSONInvalid, indexFile, "not JSON: %v", err)
	}
}

// errReported ends the reading of something whose problem has been told.
var errReported = errors.New("reported")

type indexReader struct {
	*checker
	budget *budgetReader
	d      *json.Decoder
	entry  func(raw []byte, n int)
	seen   map[string]string // fold to the spelling met first
}

// refill allows one more value. What the decoder has read ahead counts twice,
// which bounds all the same.
func (x *indexReader) refill() { x.budget.left = x.limits.Manifest }

func (x *indexReader) more() bool {
	x.refill()
	return x.d.More()
}

func (x *indexReader) read() error {
	x.refill()
	token, err := x.d.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		x.errorf(IndexInvalid, indexFile, "not a JSON object")
		return errReported
	}
	fields := map[string]json.RawMessage{}
	for x.more() {
		if err := x.member(fields); err != nil {
			return err
		}
	}
	if _, err := x.d.Token(); err != nil {
		return err
	}
	x.refill()
	if _, err := x.d.Token(); err != io.EOF {
		x.errorf(JSONAmbiguous, indexFile, "data after the JSON value")
	}
	x.judge(fields)
	return nil
}

// member reads one key and its value.
func (x *indexReader) member(fields map[string]json.RawMessage) error {
	x.refill()
	token, err := x.d.Token()
	if err != nil {
		return err
	}
	key := token.(string) // the decoder takes nothing else as a key
	fold := rawjson.Fold(key)
	if other, twice := x.seen[fold]; twice {
		x.errorf(JSONAmbiguous, indexFile, "keys %q and %q are one to some readers", other, key)
	} else if err := oddKey(key); err != nil {
		x.errorf(JSONAmbiguous, indexFile, "%v", err)
	}
	if strings.ContainsRune(key, utf8.RuneError) {
		x.errorf(JSONAmbiguous, indexFile, "key %q: invalid UTF-8", key)
	}
	if len(x.seen) > maxFields {
		x.errorf(TooLarge, indexFile, "more than %d fields", maxFields)
		return errReported
	}
	x.seen[fold] = key
	if key == "manifests" {
		return x.entries(fields)
	}
	x.refill()
	var raw json.RawMessage
	if err := x.d.Decode(&raw); err != nil {
		return err
	}
	x.strict(indexFile, raw, x.limits.Depth-1)
	fields[key] = raw
	return nil
}

// maxFields is more top-level fields than any index has.
const maxFields = 1000

// entries reads the array of entries.
func (x *indexReader) entries(fields map[string]json.RawMessage) error {
	x.refill()
	token, err := x.d.Token()
	if err != nil {
		return err
	}
	if token == nil {
		return nil // null, which Go's encoders write for no entries
	}
	if token != json.Delim('[') {
		x.errorf(IndexInvalid, indexFile, "manifests is not an array")
		return errReported
	}
	fields["manifests"] = nil
	for n := 0; x.more(); n++ {
		x.refill()
		var raw json.RawMessage
		if err := x.d.Decode(&raw); err != nil {
			return err
		}
		x.entry(raw, n)
	}
	_, err = x.d.Token()
	return err
}

// judge holds the top-level fields to what an index must have.
func (x *indexReader) judge(fields map[string]json.RawMessage) {
	if _, ok := fields["manifests"]; !ok && x.seen["manifests"] == "" {
		x.errorf(IndexInvalid, indexFile, "has no manifests")
	}
	if x.seen["layers"] != "" || x.seen["config"] != "" {
		x.errorf(JSONAmbiguous, indexFile, "has manifests beside config or layers")
	}
	if version := string(fields["schemaVersion"]); version != "2" {
		x.errorf(IndexInvalid, indexFile, "schemaVersion is %s, must be 2", orAbsent(version))
	}
	if mediaType := fields["mediaType"]; mediaType != nil {
		var s string
		if json.Unmarshal(mediaType, &s) != nil || !content.IsIndex(s) {
			x.errorf(MediaType, indexFile, "mediaType is %s", truncate(string(mediaType)))
		}
	}
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return truncate(s)
}

// truncate bounds what of a hostile text goes into a message.
func truncate(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "... (" + strconv.Itoa(len(s)) + " bytes)"
}
