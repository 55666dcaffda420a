package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// facts are what a manifest says about its entry.
type facts struct {
	mediaType    string
	artifactType string            // of no image
	platform     *content.Platform // of an image
	subject      content.Digest    // what it refers to; "" for nothing
	annotations  map[string]string // its own, if it has a subject
}

// canonical rewrites an entry so that its bytes do not depend on who wrote it:
// compact JSON by value with sorted keys, the media type, the platform of an image
// and the artifactType of an artifact always there, and an untagged referrer with
// its subject and without annotations that merely repeat its manifest's. Numbers
// keep their spelling, and fields and annotations that are not known here stay.
func canonical(e layout.Entry, f facts) (layout.Entry, error) {
	if e.Raw == nil {
		e = layout.NewEntry(e.Descriptor)
	}
	if e.IsPlain() {
		return fromFields(e.Descriptor, f)
	}
	if err := rawjson.Check(e.Raw, maxNesting); err != nil {
		return e, content.Errorf(content.ErrCorrupt, "entry: %w", err)
	}
	fields, err := decode(e.Raw)
	if err != nil {
		return e, err
	}
	d := f.complete(e.Descriptor)
	for key, value := range d.Annotations {
		setAnnotation(fields, key, value)
	}
	for key := range e.Annotations {
		if _, stays := d.Annotations[key]; !stays {
			delete(fields["annotations"].(map[string]any), key)
		}
	}
	if d.Platform != e.Platform {
		fields["platform"] = platformOf(d.Platform)
	}
	fields["mediaType"], fields["artifactType"] = d.MediaType, d.ArtifactType
	dropEmpty(fields)
	raw, err := rawjson.Marshal(fields)
	if err != nil {
		return e, err
	}
	return layout.ParseEntry(raw)
}

func setAnnotation(fields map[string]any, key, value string) {
	annotations, ok := fields["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		fields["annotations"] = annotations
	}
	annotations[key] = value
}

// complete is a descriptor with what its manifest says about it.
func (f facts) complete(d content.Descriptor) content.Descriptor {
	if f.mediaType != "" {
		d.MediaType = f.mediaType
	}
	if p := f.platform; p != nil && (d.Platform == nil || content.FormatPlatform(*d.Platform) == content.FormatPlatform(*p)) {
		d.Platform = p
	}
	if f.artifactType != "" && d.ArtifactType == "" {
		d.ArtifactType = f.artifactType
	}
	if f.subject != "" && (layout.Entry{Descriptor: d}).Name() == "" {
		annotations := map[string]string{content.AnnotationSubject: f.subject.String()}
		for key, value := range d.Annotations {
			if f.annotations[key] != value {
				annotations[key] = value
			}
		}
		d.Annotations = annotations
	}
	return d
}

// fields are those of a plain entry.
type fields struct {
	annotations  map[string]string
	artifactType string
	digest       content.Digest
	mediaType    string
	platform     *platform
	size         int64
}

// encode writes the entry as compact JSON with sorted keys, as encoding/json would
// in many more steps: an index may have a hundred thousand.
func (f fields) encode() ([]byte, error) {
	room := 96 + len(f.artifactType) + len(f.digest) + len(f.mediaType)
	for key, value := range f.annotations {
		room += len(key) + len(value) + len(`"":"",`)
	}
	b := append(make([]byte, 0, room), '{')
	var err error
	text := func(s string) {
		if b, err = appendText(b, s, err); err == nil {
			b = append(b, ',')
		}
	}
	if len(f.annotations) > 0 {
		b = append(b, `"annotations":{`...)
		for _, key := range slices.Sorted(maps.Keys(f.annotations)) {
			b, err = appendText(b, key, err)
			b = append(b, ':')
			text(f.annotations[key])
		}
		b = append(b[:len(b)-1], "},"...)
	}
	if f.artifactType != "" {
		b = append(b, `"artifactType":`...)
		text(f.artifactType)
	}
	b = append(b, `"digest":`...)
	text(string(f.digest))
	b = append(b, `"mediaType":`...)
	text(f.mediaType)
	if f.platform != nil {
		raw, platformErr := rawjson.Marshal(f.platform)
		err = cmp.Or(err, platformErr)
		b = append(append(append(b, `"platform":`...), raw...), ',')
	}
	b = strconv.AppendInt(append(b, `"size":`...), f.size, 10)
	return append(b, '}'), err
}

// appendText appends s as a JSON string, unless there was an error before.
func appendText(b []byte, s string, err error) ([]byte, error) {
	if err != nil {
		return b, err
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			raw, err := rawjson.Marshal(s)
			return append(b, raw...), err
		}
	}
	return append(append(append(b, '"'), s...), '"'), nil
}

type platform struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	OSFeatures   []string `json:"os.features,omitempty"`
	OSVersion    string   `json:"os.version,omitempty"`
	Variant      string   `json:"variant,omitempty"`
}

func platformOf(p *content.Platform) *platform {
	if p == nil {
		return nil
	}
	return &platform{p.Architecture, p.OS, p.OSFeatures, p.OSVersion, p.Variant}
}

// fromFields makes the entry of a descriptor of which nothing else is to be kept.
func fromFields(d content.Descriptor, from facts) (layout.Entry, error) {
	d = from.complete(d)
	f := fields{d.Annotations, d.ArtifactType, d.Digest, d.MediaType, platformOf(d.Platform), d.Size}
	raw, err := f.encode()
	return layout.Entry{Descriptor: d, Raw: raw}, err
}

// maxNesting is how deep an entry may nest.
const maxNesting = 16

// decode reads an object and keeps the spelling of numbers.
func decode(raw []byte) (map[string]any, error) {
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err := d.Decode(&fields)
	return fields, err
}

// dropEmpty removes optional fields that say nothing, as some writers have them.
func dropEmpty(fields map[string]any) {
	for key, value := range fields {
		switch v := value.(type) {
		case nil:
			delete(fields, key)
		case map[string]any:
			if len(v) == 0 && key == "annotations" {
				delete(fields, key)
			}
		case []any:
			if len(v) == 0 && key == "urls" {
				delete(fields, key)
			}
		case string:
			if v == "" && (key == "artifactType" || key == "data") {
				delete(fields, key)
			}
		}
	}
}

// class is the place of an entry among the others. Tags of cosign go with the
// artifacts: some readers take the first entry, whatever it is.
func class(e layout.Entry) layout.Kind {
	if e.IsCosignTag() {
		return layout.KindArtifact
	}
	return e.Kind()
}
