// Package rawjson edits JSON objects by value: what an edit does not name keeps
// its bytes, its place and its spelling, whether or not anybody here knows what
// it means. It also checks JSON strictly, as the other readers of a layout may
// not: see [Check].
package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A Field is one member of an object: the key as it was spelled, its meaning, and
// the value's own bytes.
type Field struct {
	Key   string
	raw   []byte // the key's spelling, with quotes; nil for a new one
	Value json.RawMessage
}

// An Object is a JSON object as an ordered list of fields.
type Object struct {
	fields []Field
}

// Parse reads one JSON object. Values are slices of data, not copies: data must not
// change while the object lives. A key given twice is an error.
func Parse(data []byte) (*Object, error) {
	if !json.Valid(data) {
		return nil, fmt.Errorf("not valid JSON")
	}
	s := skipper{data: data}
	o := &Object{}
	s.space()
	if s.peek() != '{' {
		return nil, fmt.Errorf("not a JSON object")
	}
	seen := map[string]bool{}
	s.pos++
	for s.space(); s.peek() != '}'; s.space() {
		rawKey := s.value()
		var key string
		if err := json.Unmarshal(rawKey, &key); err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, fmt.Errorf("key %q is there twice", key)
		}
		seen[key] = true
		s.space()
		s.pos++ // the colon
		s.space()
		o.fields = append(o.fields, Field{key, rawKey, s.value()})
		if s.space(); s.peek() == ',' {
			s.pos++
		}
	}
	return o, nil
}

// Get returns the bytes of the value of key, or nil.
func (o *Object) Get(key string) json.RawMessage {
	for _, f := range o.fields {
		if f.Key == key {
			return f.Value
		}
	}
	return nil
}

// GetString returns the value of key if it is a string, else "".
func (o *Object) GetString(key string) string {
	var s string
	if json.Unmarshal(o.Get(key), &s) != nil {
		return ""
	}
	return s
}

// Fields lists the members in order. The slice must not be changed.
func (o *Object) Fields() []Field { return o.fields }

// Len is the number of members.
func (o *Object) Len() int { return len(o.fields) }

// Set gives key the value, which must be valid JSON: in place if the key is
// there, at the end if not.
func (o *Object) Set(key string, value json.RawMessage) {
	for i := range o.fields {
		if o.fields[i].Key == key {
			o.fields[i].Value = value
			return
		}
	}
	o.fields = append(o.fields, Field{Key: key, Value: value})
}

// SetString gives key a string.
func (o *Object) SetString(key, value string) { o.Set(key, Quote(value)) }

// Delete removes key, if it is there.
func (o *Object) Delete(key string) {
	for i := range o.fields {
		if o.fields[i].Key == key {
			o.fields = append(o.fields[:i:i], o.fields[i+1:]...)
			return
		}
	}
}

// Bytes writes the object without space between its tokens; the values keep the
// bytes they have.
func (o *Object) Bytes() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o.fields {
		if i > 0 {
			b.WriteByte(',')
		}
		if f.raw != nil {
			b.Write(f.raw)
		} else {
			b.Write(Quote(f.Key))
		}
		b.WriteByte(':')
		b.Write(f.Value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// Quote writes s as a JSON string. Unlike json.Marshal it leaves <, > and & as
// they are.
func Quote(s string) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return json.RawMessage(`""`) // a string always encodes
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// Marshal writes v as compact JSON, with <, > and & as they are.
func Marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Array is an array of the elements, each as it is spelled.
func Array[T ~[]byte](elements []T) json.RawMessage {
	b := json.RawMessage{'['}
	for i, element := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, element...)
	}
	return append(b, ']')
}

// EachMember calls f with every key of the object that data is, without escapes,
// and with the bytes of its value: slices of data mostly, which f must not change.
// An error of f ends it. data must be valid JSON; what is no object has no members.
func EachMember(data []byte, f func(key, value []byte) error) error {
	s := skipper{data: data}
	if s.space(); s.peek() != '{' {
		return nil
	}
	s.pos++
	for s.space(); s.peek() == '"'; s.space() {
		key := s.value()
		key = key[1 : len(key)-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			key = []byte(unquote(key))
		}
		s.space()
		s.pos++ // the colon
		s.space()
		if err := f(key, s.value()); err != nil {
			return err
		}
		if s.space(); s.peek() == ',' {
			s.pos++
		}
	}
	return nil
}

// EachElement calls f with the bytes of every element of the array that data is.
// An error of f ends it. data must be valid JSON; what is no array has no elements.
func EachElement(data []byte, f func(value []byte) error) error {
	s := skipper{data: data}
	if s.space(); s.peek() != '[' {
		return nil
	}
	s.pos++
	for s.space(); s.pos < len(s.data) && s.peek() != ']'; s.space() {
		if err := f(s.value()); err != nil {
			return err
		}
		if s.space(); s.peek() == ',' {
			s.pos++
		}
	}
	return nil
}

// skipper steps over JSON that is known to be valid.
type skipper struct {
	data []byte
	pos  int
}

func (s *skipper) peek() byte {
	if s.pos >= len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

func (s *skipper) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// value steps over one value and returns its bytes.
func (s *skipper) value() []byte {
	start, depth := s.pos, 0
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '"':
			s.str()
		case '{', '[':
			depth++
			s.pos++
		case '}', ']':
			if depth == 0 {
				return s.data[start:s.pos]
			}
			depth--
			s.pos++
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return s.data[start:s.pos]
			}
			s.pos++
			continue
		default:
			s.pos++
			continue
		}
		if depth == 0 {
			return s.data[start:s.pos]
		}
	}
	return s.data[start:s.pos]
}

func (s *skipper) str() {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch s.data[s.pos] {
		case '\\':
			s.pos++
		case '"':
			s.pos++
			return
		}
	}
}
