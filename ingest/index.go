package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// eachEntry calls f with the entries of an index.json, which it reads as a stream.
// What two readers would not read alike is ErrCorrupt.
func eachEntry(r io.Reader, limits content.Limits, f func(layout.Entry)) error {
	x := indexStream{d: json.NewDecoder(r), limits: limits, f: f, seen: map[string]bool{}}
	err := x.read()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || err == io.EOF || err == io.ErrUnexpectedEOF {
		return content.Errorf(content.ErrCorrupt, "not an image index: %w", err)
	}
	return err
}

type indexStream struct {
	d      *json.Decoder
	limits content.Limits
	f      func(layout.Entry)
	seen   map[string]bool // folds of the top-level keys
}

func (x *indexStream) read() error {
	if err := x.expect(json.Delim('{')); err != nil {
		return err
	}
	for x.d.More() {
		if err := x.field(); err != nil {
			return err
		}
	}
	if err := x.expect(json.Delim('}')); err != nil {
		return err
	}
	if !x.seen["manifests"] {
		return content.Errorf(content.ErrCorrupt, "has no manifests")
	}
	if _, err := x.d.Token(); err != io.EOF {
		return content.Errorf(content.ErrCorrupt, "has data after its end")
	}
	return nil
}

// maxFields is more top-level fields than any index has.
const maxFields = 1000

// field reads one top-level key and its value.
func (x *indexStream) field() error {
	token, err := x.d.Token()
	if err != nil {
		return err
	}
	key, _ := token.(string) // the decoder takes nothing else as a key
	fold := rawjson.Fold(key)
	switch {
	case x.seen[fold]:
		return content.Errorf(content.ErrCorrupt, "key %q is there twice to some readers", key)
	case fold == "manifests" && key != fold:
		return content.Errorf(content.ErrCorrupt, "key %q is %q to some readers", key, fold)
	case strings.ContainsRune(key, utf8.RuneError):
		return content.Errorf(content.ErrCorrupt, "key %q is not UTF-8", key)
	case len(x.seen) >= maxFields:
		return content.Errorf(content.ErrRefused, "more than %d fields", maxFields)
	}
	x.seen[fold] = true
	if key == "manifests" {
		return x.entries()
	}
	_, err = x.value(x.limits.Depth - 1)
	return err
}

func (x *indexStream) entries() error {
	if err := x.expect(json.Delim('[')); err != nil {
		return err
	}
	for x.d.More() {
		raw, err := x.value(x.limits.Depth - 2)
		if err != nil {
			return err
		}
		e, err := parseEntry(raw)
		if err != nil {
			return err
		}
		x.f(e)
	}
	return x.expect(json.Delim(']'))
}

// value reads one value, which all readers must read alike.
func (x *indexStream) value(depth int) (json.RawMessage, error) {
	var raw json.RawMessage
	if err := x.d.Decode(&raw); err != nil {
		return nil, err
	}
	if err := rawjson.Check(raw, depth); err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "not an image index: %w", err)
	}
	return raw, nil
}

// expect reads one delimiter.
func (x *indexStream) expect(want json.Delim) error {
	token, err := x.d.Token()
	if err != nil {
		return err
	}
	if token != want {
		return content.Errorf(content.ErrCorrupt, "not an image index: %v where %v should be", token, want)
	}
	return nil
}

// descriptorKeys are the keys of a descriptor, by their fold.
var descriptorKeys = map[string]string{
	"mediatype": "mediaType", "artifacttype": "artifactType", "digest": "digest", "size": "size",
	"urls": "urls", "annotations": "annotations", "data": "data", "platform": "platform",
}

// parseEntry reads one entry, and keeps its bytes but for space between them.
func parseEntry(raw json.RawMessage) (layout.Entry, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return layout.Entry{}, err
	}
	e, err := layout.ParseEntry(compact.Bytes())
	if err != nil {
		return e, err
	}
	object, err := rawjson.Parse(e.Raw)
	if err != nil {
		return e, content.Errorf(content.ErrCorrupt, "entry: %w", err)
	}
	for _, field := range object.Fields() {
		if want := descriptorKeys[rawjson.Fold(field.Key)]; want != "" && want != field.Key {
			return e, content.Errorf(content.ErrCorrupt, "key %q is %q to some readers", field.Key, want)
		}
	}
	if e.MediaType == "" {
		return e, content.AtDigest(e.Digest, content.Errorf(content.ErrCorrupt, "the entry has no mediaType"))
	}
	return e, nil
}
