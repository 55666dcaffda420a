package mutate

import (
	"bytes"
	"encoding/json"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// A spelling is the bytes that an object had when it was read, and what Bytes makes
// of it: as long as that is the same, nothing in it has changed.
type spelling struct {
	data  []byte
	canon []byte
}

// spellings remembers how objects were spelled.
type spellings map[*rawjson.Object]spelling

// parse reads one object. What is none is ErrCorrupt.
func (s spellings) parse(data []byte) (*rawjson.Object, error) {
	o, err := rawjson.Parse(data)
	if err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "%w", err)
	}
	s[o] = spelling{data: data, canon: o.Bytes()}
	return o, nil
}

// bytes writes an object: with the bytes that it was read from if nothing has changed.
func (s spellings) bytes(o *rawjson.Object) []byte {
	b := o.Bytes()
	if was, ok := s[o]; ok && bytes.Equal(b, was.canon) {
		return was.data
	}
	return b
}

// objects reads an array of objects; null and nil are none.
func (s spellings) objects(data json.RawMessage) ([]*rawjson.Object, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	if data[0] != '[' {
		return nil, content.Errorf(content.ErrCorrupt, "not an array")
	}
	list := []*rawjson.Object{}
	err := rawjson.EachElement(data, func(value []byte) error {
		o, err := s.parse(value)
		list = append(list, o)
		return err
	})
	return list, err
}

// setArray gives o an array, unless it has one of the same elements. No elements are
// as well said by no array.
func setArray(o *rawjson.Object, key string, elements [][]byte) {
	old := o.Get(key)
	if len(elements) == 0 && (len(old) == 0 || old[0] != '[') {
		return
	}
	if len(old) > 0 && old[0] == '[' {
		same, i := true, 0
		_ = rawjson.EachElement(old, func(value []byte) error { // the function returns none
			same = same && i < len(elements) && bytes.Equal(value, elements[i])
			i++
			return nil
		})
		if same && i == len(elements) {
			return
		}
	}
	o.Set(key, rawjson.Array(elements))
}

// setString gives o a string, unless it has it.
func setString(o *rawjson.Object, key, value string) {
	if o.Get(key) == nil || o.GetString(key) != value {
		o.SetString(key, value)
	}
}

// setDescriptor writes what a descriptor points at, where it is not so already. Data
// that was embedded goes if it was of other content.
func setDescriptor(o *rawjson.Object, d content.Descriptor) {
	if o.GetString("digest") != d.Digest.String() {
		o.Delete("data")
	}
	setString(o, "mediaType", d.MediaType)
	setString(o, "digest", d.Digest.String())
	var size int64
	if raw := o.Get("size"); raw == nil || json.Unmarshal(raw, &size) != nil || size != d.Size {
		o.Set("size", number(d.Size))
	}
}

// number writes a whole number.
func number(n int64) json.RawMessage {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // a number always encodes
	}
	return b
}

// descriptorObject is a descriptor as an object.
func descriptorObject(d content.Descriptor) (*rawjson.Object, error) {
	b, err := rawjson.Marshal(d)
	if err != nil {
		return nil, err
	}
	return rawjson.Parse(b)
}

// readDescriptor decodes a descriptor and holds it to its grammar.
func readDescriptor(raw []byte) (content.Descriptor, error) {
	var d content.Descriptor
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, content.Errorf(content.ErrCorrupt, "not a descriptor: %w", err)
	}
	if err := content.CheckDigest(d.Digest); err != nil {
		return d, content.Errorf(content.ErrCorrupt, "descriptor: %v", err) // not ErrInvalid: no argument of the caller
	}
	if d.Size < 0 {
		return d, content.AtDigest(d.Digest, content.Errorf(content.ErrCorrupt, "descriptor has size %d", d.Size))
	}
	return d, nil
}
