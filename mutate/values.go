package mutate

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// keyOf is how o spells key. Readers in Go take "env" for "Env", so that a second
// key beside it would leave open which of them counts; o that has both is ErrCorrupt.
func keyOf(o *rawjson.Object, key string) (string, error) {
	found := ""
	for _, f := range o.Fields() {
		switch {
		case rawjson.Fold(f.Key) != rawjson.Fold(key):
		case found != "":
			return "", content.Errorf(content.ErrCorrupt, "%q and %q are one key", found, f.Key)
		default:
			found = f.Key
		}
	}
	if found == "" {
		return key, nil
	}
	return found, nil
}

// isSet says whether a value is there and not null.
func isSet(raw json.RawMessage) bool { return raw != nil && string(raw) != "null" }

// editMember runs f on the object under a key; one that is absent or null is empty.
// If f changes nothing the value keeps its bytes, and if it takes out the last member
// the key goes.
func editMember(o *rawjson.Object, key string, f func(inner *rawjson.Object) error) error {
	return editObject(o, key, true, f)
}

// editObject is editMember, where an object without members may be kept.
func editObject(o *rawjson.Object, key string, emptyGoes bool, f func(inner *rawjson.Object) error) error {
	key, err := keyOf(o, key)
	if err != nil {
		return err
	}
	inner := &rawjson.Object{}
	if raw := o.Get(key); isSet(raw) {
		if inner, err = rawjson.Parse(raw); err != nil {
			return content.Errorf(content.ErrCorrupt, "%s: %w", key, err)
		}
	}
	before := inner.Bytes()
	if err := f(inner); err != nil {
		return content.At(key, err)
	}
	after := inner.Bytes()
	switch {
	case bytes.Equal(before, after):
	case inner.Len() == 0 && emptyGoes:
		o.Delete(key)
	default:
		o.Set(key, after)
	}
	return nil
}

// setText gives a key a text; "" takes it out. A text that is there already keeps its
// spelling.
func setText(o *rawjson.Object, key, value string) error {
	key, err := keyOf(o, key)
	if err != nil {
		return err
	}
	setExact(o, key, value)
	return nil
}

// setExact is setText for the keys of a map, where case counts.
func setExact(o *rawjson.Object, key, value string) {
	var have *string
	if err := json.Unmarshal(o.Get(key), &have); err != nil {
		have = nil
	}
	switch {
	case value == "":
		o.Delete(key)
	case have == nil || *have != value:
		o.SetString(key, value)
	}
}

// setTexts gives a key a list of texts; an empty list takes it out. Equal texts keep
// their spelling.
func setTexts(o *rawjson.Object, key string, values []string) error {
	key, err := keyOf(o, key)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		o.Delete(key)
		return nil
	}
	if _, have, err := texts(o.Get(key)); err == nil && slices.Equal(have, values) {
		return nil
	}
	list := make([]json.RawMessage, len(values))
	for i, value := range values {
		list[i] = rawjson.Quote(value)
	}
	o.Set(key, array(list))
	return nil
}

// texts reads a list of texts: the elements as they are spelled, and what they say.
// What is absent or null is empty.
func texts(raw json.RawMessage) (spelled []json.RawMessage, values []string, err error) {
	if !isSet(raw) {
		return nil, nil, nil
	}
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, nil, content.Errorf(content.ErrCorrupt, "not a list of texts")
	}
	err = rawjson.EachElement(raw, func(value []byte) error {
		spelled = append(spelled, value)
		return nil
	})
	return spelled, values, err
}

// array writes a list of the values, as they are spelled.
func array(values []json.RawMessage) json.RawMessage {
	return slices.Concat([]byte("["), bytes.Join(rawBytes(values), []byte(",")), []byte("]"))
}

func rawBytes(values []json.RawMessage) [][]byte {
	list := make([][]byte, len(values))
	for i, value := range values {
		list[i] = value
	}
	return list
}

// mostTexts is how many labels or annotations are taken from one place to another.
const mostTexts = 10_000

// textMap reads a map of texts in its order; what is absent or null is empty. More than
// mostTexts are ErrRefused.
func textMap(o *rawjson.Object, key string) (*rawjson.Object, error) {
	var found *rawjson.Object
	err := editMember(o, key, func(inner *rawjson.Object) error {
		found = inner
		if n := inner.Len(); n > mostTexts {
			return content.Errorf(content.ErrRefused, "%d entries, and at most %d are taken", n, mostTexts)
		}
		for _, f := range inner.Fields() {
			var text string
			if json.Unmarshal(f.Value, &text) != nil {
				return content.Errorf(content.ErrCorrupt, "%q is not a text", f.Key)
			}
		}
		return nil
	})
	return found, err
}

// hasConfig says whether a change of the config has something to change. An index may
// list artifacts beside images, which stay as they are; an artifact alone is
// ErrUnsupported.
func hasConfig(im *Image) (bool, error) {
	if !im.IsImage() && im.Index() == nil {
		return false, content.Errorf(content.ErrUnsupported, "its config is of type %s, not that of an image", im.ConfigEntry.GetString("mediaType"))
	}
	return im.IsImage(), nil
}

// editConfig runs f on all of an image's config.
func editConfig(im *Image, f func(c *rawjson.Object) error) error {
	ok, err := hasConfig(im)
	if err != nil || !ok {
		return err
	}
	return content.At("config", f(im.Config))
}

// editRuntime runs f on what the config says of containers, its field "config". It stays
// when nothing is left in it: older engines ask for it.
func editRuntime(im *Image, f func(c *rawjson.Object) error) error {
	return editConfig(im, func(c *rawjson.Object) error { return editObject(c, "config", false, f) })
}

// checkText refuses what JSON has no text for, or no program takes.
func checkText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return content.Errorf(content.ErrInvalid, "%q is no text in UTF-8", s)
	}
	return nil
}

// cutPair reads KEY=VALUE. An empty value deletes; one that is left out does not, since
// who leaves it out may think of the value in the environment.
func cutPair(s string) (key, value string, err error) {
	key, value, given := strings.Cut(s, "=")
	switch {
	case key == "":
		return "", "", content.Errorf(content.ErrInvalid, "%q: want KEY=VALUE", s)
	case strings.HasPrefix(key, "["):
		return "", "", content.Errorf(content.ErrInvalid, "%q: the brackets hold neither * nor platforms", s)
	case !given:
		return "", "", content.Errorf(content.ErrInvalid, "%q: want K=V, or K= to delete", s)
	}
	return key, value, checkText(s)
}

// cutDeletion reads a member of a set, which "=" at its end takes out.
func cutDeletion(s string) (member string, remove bool, err error) {
	member, remove = strings.CutSuffix(s, "=")
	if member == "" {
		return "", false, content.Errorf(content.ErrInvalid, "it is empty")
	}
	return member, remove, checkText(s)
}
