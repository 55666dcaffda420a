package mutate

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// A FieldDifference is a value that is not the same on both sides.
type FieldDifference struct {
	// Group is what kind of difference it is, one of IgnorableWords.
	Group string `json:"group"`
	// Path is a JSON pointer (RFC 6901) into the manifest for the groups manifest and
	// annotations, else into the config. A variable of the environment is named as if
	// the list of them were an object: /config/Env/PATH.
	Path string `json:"path"`
	// From and To are the values; one is absent if only the other is there.
	From json.RawMessage `json:"from,omitempty"`
	To   json.RawMessage `json:"to,omitempty"`
}

// fieldFinder gathers where the values of two documents differ. kinds tells which
// kinds a path belongs to: the first is its group, and each lets it be ignored.
type fieldFinder struct {
	ignore Ignored
	kinds  func(path string) []string
	found  []FieldDifference
	// any says that something differs, ignored or not.
	any bool
}

// differ notes that a value differs.
func (f *fieldFinder) differ(path string, from, to json.RawMessage) {
	f.any = true
	if kinds := f.kinds(path); !f.ignore.any(kinds...) {
		f.found = append(f.found, FieldDifference{kinds[0], path, from, to})
	}
}

// values compares two values at a path; nil and null are none. Objects are compared by
// their members, at any depth, lists as a whole.
func (f *fieldFinder) values(path string, from, to json.RawMessage) error {
	from, to = someValue(from), someValue(to)
	if bytes.Equal(from, to) {
		return nil
	}
	if !isObject(from) || !isObject(to) {
		if (from == nil) == (to == nil) && sameValue(from, to) {
			return nil
		}
		return f.whole(path, from, to)
	}
	a, err := rawjson.Parse(from)
	if err != nil {
		return content.Errorf(content.ErrCorrupt, "%s: %w", path, err)
	}
	b, err := rawjson.Parse(to)
	if err != nil {
		return content.Errorf(content.ErrCorrupt, "%s: %w", path, err)
	}
	return f.objects(path, a, b)
}

// whole notes two values that are not both objects; of an object that only one side has
// each member is named.
func (f *fieldFinder) whole(path string, from, to json.RawMessage) error {
	switch {
	case from == nil && isObject(to):
		from = json.RawMessage("{}")
	case to == nil && isObject(from):
		to = json.RawMessage("{}")
	default:
		f.differ(path, from, to)
		return nil
	}
	return f.values(path, from, to)
}

// objects compares two objects but for the members of skip.
func (f *fieldFinder) objects(path string, a, b *rawjson.Object, skip ...string) error {
	skipped := map[string]bool{}
	for _, key := range skip {
		skipped[key] = true
	}
	for _, field := range a.Fields() {
		if skipped[field.Key] {
			continue
		}
		skipped[field.Key] = true
		if err := f.values(path+"/"+pointerStep(field.Key), field.Value, b.Get(field.Key)); err != nil {
			return err
		}
	}
	for _, field := range b.Fields() {
		if skipped[field.Key] {
			continue
		}
		if err := f.values(path+"/"+pointerStep(field.Key), nil, field.Value); err != nil {
			return err
		}
	}
	return nil
}

// pointerStep is a key in a JSON pointer.
func pointerStep(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

// someValue is nil for null, which is as good as no value.
func someValue(v json.RawMessage) json.RawMessage {
	if v = bytes.TrimSpace(v); string(v) == "null" || len(v) == 0 {
		return nil
	}
	return v
}

func isObject(v json.RawMessage) bool { return len(v) > 0 && v[0] == '{' }

// sameValue says whether two texts stand for one value: space, escapes, the order of
// keys and the spelling of numbers make no difference.
func sameValue(a, b json.RawMessage) bool {
	x, okX := decodeValue(a)
	y, okY := decodeValue(b)
	return okX && okY && reflect.DeepEqual(x, y)
}

func decodeValue(v json.RawMessage) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber()
	var decoded any
	if dec.Decode(&decoded) != nil {
		return nil, false
	}
	return plainNumbers(decoded), true
}

// plainNumbers gives whole numbers that a float can hold one spelling.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && f == float64(int64(f)) && f < 1<<53 && f > -1<<53 {
			return json.Number(strconv.FormatInt(int64(f), 10))
		}
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	}
	return v
}

// canonicalValue is one spelling of a value.
func canonicalValue(v json.RawMessage) string {
	decoded, ok := decodeValue(v)
	if !ok {
		return string(v)
	}
	text, err := rawjson.Marshal(decoded)
	if err != nil {
		return string(v)
	}
	return string(text)
}
