package mutate

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// followOS takes over what a base says of the system that its files need: Windows
// runs an image only on the version that its base layers are of.
func (im *Image) followOS(base *Image) {
	for _, key := range []string{"os.version", "os.features"} {
		if raw := base.Config.Get(key); raw != nil && !sameJSON(raw, im.Config.Get(key)) {
			im.Config.Set(key, raw)
			if p, err := rawjson.Parse(im.Entry.Get("platform")); err == nil && p.Get(key) != nil {
				p.Set(key, raw)
				im.Entry.Set("platform", p.Bytes())
			}
		}
	}
}

// mergeConfig makes of the field config of an image what the new base has, wherever it
// is what the old one has.
func mergeConfig(image, from, to *rawjson.Object) error {
	run, err := runConfig(image)
	if err != nil {
		return err
	}
	was, err := runConfig(from)
	if err != nil {
		return content.At("old base", err)
	}
	is, err := runConfig(to)
	if err != nil {
		return content.At("new base", err)
	}
	before := run.Bytes()
	for _, key := range keysOf(run, was, is) {
		var merged json.RawMessage
		switch key {
		case "Env":
			merged, err = mergeEnv(run.Get(key), was.Get(key), is.Get(key))
		case "Labels", "ExposedPorts", "Volumes":
			merged, err = mergeMap(run.Get(key), was.Get(key), is.Get(key))
		default:
			merged = mergeValue(run.Get(key), was.Get(key), is.Get(key))
		}
		switch {
		case err != nil:
			return content.At("config."+key, err)
		case merged == nil:
			run.Delete(key)
		default:
			run.Set(key, merged)
		}
	}
	if !bytes.Equal(run.Bytes(), before) {
		image.Set("config", run.Bytes())
	}
	return nil
}

// runConfig is the field config of an image's config; none is an empty one.
func runConfig(o *rawjson.Object) (*rawjson.Object, error) {
	raw := o.Get("config")
	if isNull(raw) {
		return &rawjson.Object{}, nil
	}
	run, err := rawjson.Parse(raw)
	if err != nil {
		return nil, content.At("config", content.Errorf(content.ErrCorrupt, "%w", err))
	}
	return run, nil
}

// keysOf lists the keys of objects, each once.
func keysOf(objects ...*rawjson.Object) (keys []string) {
	for _, o := range objects {
		for _, f := range o.Fields() {
			if !slices.Contains(keys, f.Key) {
				keys = append(keys, f.Key)
			}
		}
	}
	return keys
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// mergeValue is what becomes of a value that is run with, where a base says was and the
// next one is; nil is none.
func mergeValue(run, was, is json.RawMessage) json.RawMessage {
	if sameJSON(run, was) && !sameJSON(run, is) {
		if isNull(is) {
			return nil
		}
		return is
	}
	return run
}

// mergeMap merges objects, key by key.
func mergeMap(run, was, is json.RawMessage) (json.RawMessage, error) {
	var o [3]*rawjson.Object
	for i, raw := range []json.RawMessage{run, was, is} {
		o[i] = &rawjson.Object{}
		if isNull(raw) {
			continue
		}
		var err error
		if o[i], err = rawjson.Parse(raw); err != nil {
			return nil, content.Errorf(content.ErrCorrupt, "%w", err)
		}
	}
	before := o[0].Bytes()
	for _, key := range keysOf(o[:]...) {
		if v := mergeValue(o[0].Get(key), o[1].Get(key), o[2].Get(key)); v == nil {
			o[0].Delete(key)
		} else {
			o[0].Set(key, v)
		}
	}
	switch {
	case bytes.Equal(o[0].Bytes(), before):
		return run, nil
	case o[0].Len() == 0:
		return nil, nil
	}
	return o[0].Bytes(), nil
}

// mergeEnv merges lists of NAME=VALUE, variable by variable: those that stay keep
// their order, and new ones come behind them.
func mergeEnv(run, was, is json.RawMessage) (json.RawMessage, error) {
	var o [3]*rawjson.Object
	for i, raw := range []json.RawMessage{run, was, is} {
		o[i] = &rawjson.Object{}
		var list []string
		if isNull(raw) {
			continue
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, content.Errorf(content.ErrCorrupt, "%w", err)
		}
		for _, v := range list {
			name, _, _ := strings.Cut(v, "=")
			o[i].SetString(name, v) // the last one of a name counts
		}
	}
	before := o[0].Bytes()
	var list []string
	for _, key := range keysOf(o[:]...) {
		v := mergeValue(o[0].Get(key), o[1].Get(key), o[2].Get(key))
		if v == nil {
			o[0].Delete(key)
			continue
		}
		o[0].Set(key, v)
		list = append(list, o[0].GetString(key))
	}
	switch {
	case bytes.Equal(o[0].Bytes(), before):
		return run, nil
	case len(list) == 0:
		return nil, nil
	}
	return rawjson.Marshal(list)
}

// sameJSON compares values as they are without the space between their tokens.
func sameJSON(a, b json.RawMessage) bool {
	if isNull(a) || isNull(b) {
		return isNull(a) && isNull(b)
	}
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return false
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}
