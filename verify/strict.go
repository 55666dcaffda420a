package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// strict reports what in data is not JSON, or not the same JSON to every reader.
// It says whether data can be decoded at all.
func (c *collector) strict(where at, data []byte, depth int) bool {
	err := rawjson.Check(data, depth)
	if err == nil && !plainKeys(data) {
		err = oddSpelling(data)
	}
	if err == nil {
		return true
	}
	if d := nesting(data); d > depth {
		c.errorf(Depth, where, "JSON nests %d deep, over the limit of %d", d, depth)
		return false
	}
	var first json.RawMessage
	if json.NewDecoder(bytes.NewReader(data)).Decode(&first) != nil {
		c.errorf(JSONInvalid, where, "not JSON: %v", err)
		return false
	}
	c.errorf(JSONAmbiguous, where, "%v", err)
	return json.Valid(data)
}

// decode unmarshals data into v and reports why it can't under the id that fits:
// numbers that readers take differently, such as 1e3 or one beyond 64 bits, are
// ambiguous; anything else of another type than v wants is wrong.
func (c *collector) decode(where at, data []byte, v any, wrong string) bool {
	err := json.Unmarshal(data, v)
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return true
	case errors.As(err, &mistyped) && bytes.HasPrefix([]byte(mistyped.Value), []byte("number ")):
		c.errorf(JSONAmbiguous, where, "%s: %s is not an integer to every reader", mistyped.Field, mistyped.Value[len("number "):])
	case errors.As(err, &mistyped):
		c.errorf(wrong, where, "%s is a JSON %s", fieldOrAll(mistyped.Field), mistyped.Value)
	default:
		c.errorf(wrong, where, "%v", err)
	}
	return false
}

// oddSpelling looks for keys of manifests and descriptors in a case that only some
// readers take for the key. data is valid JSON.
func oddSpelling(data []byte) error {
	return rawjson.EachMember(data, func(key, value []byte) error {
		switch string(key) {
		case "config", "subject":
			return oddSpelling(value)
		case "layers", "manifests", "blobs":
			return rawjson.EachElement(value, oddSpelling)
		}
		if err := oddKey(string(key)); err != nil {
			return err
		}
		return oddConfig(string(key), value)
	})
}

// oddConfig is about keys that are config but for case. In a manifest that is the
// config's descriptor; elsewhere docker writes it in either case.
func oddConfig(key string, value []byte) error {
	if rawjson.Fold(key) != "config" {
		return nil
	}
	return rawjson.EachMember(value, func(inner, _ []byte) error {
		if rawjson.Fold(string(inner)) == "digest" {
			return fmt.Errorf("key %q is \"config\" to some readers", key)
		}
		return nil
	})
}

// oddKey says what else a key is to readers that ignore case.
func oddKey(key string) error {
	if want := spellings[rawjson.Fold(key)]; want != "" && want != key {
		return fmt.Errorf("key %q is %q to some readers", key, want)
	}
	return nil
}

// spellings are the keys that decide what a manifest or descriptor means, by their
// fold. Keys of a config are not here: docker writes some in either case.
var spellings = byFold(
	"schemaVersion", "mediaType", "artifactType", "layers", "manifests", "blobs", "subject", "annotations",
	"digest", "size", "data", "urls", "platform", "rootfs", "history",
)

func byFold(keys ...string) map[string]string {
	m := make(map[string]string, len(keys))
	for _, key := range keys {
		m[rawjson.Fold(key)] = key
	}
	return m
}

func fieldOrAll(field string) string {
	if field == "" {
		return "the whole"
	}
	return field
}

// nesting is how deep the brackets of data nest, whether or not it is JSON.
func nesting(data []byte) int {
	depth, most := 0, 0
	inString := false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case inString && b == '\\':
			i++
		case b == '"':
			inString = !inString
		case inString:
		case b == '{' || b == '[':
			depth++
			most = max(most, depth)
		case b == '}' || b == ']':
			depth--
		}
	}
	return most
}

// budgetReader fails with io.ErrShortBuffer once it has given more than is left,
// so that one value of a stream can't grow without bound.
type budgetReader struct {
	r    io.Reader
	left int64
}

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.ErrShortBuffer
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
