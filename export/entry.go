package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// canonical rewrites an entry so that its bytes do not depend on who wrote it:
// compact JSON by value with sorted keys, the media type, the platform of an image
// and the artifactType of an artifact always there, and an untagged referrer with
// its subject and without annotations that merely repeat its manifest's. Numbers
// keep their spelling, and fields and annotations that are not known here stay.
func canonical(e layout.Entry, n *node) (layout.Entry, error) {
	if e.Raw == nil {
		e = layout.NewEntry(e.Descriptor)
	}
	if err := rawjson.Check(e.Raw, maxNesting); err != nil {
		return e, content.Errorf(content.ErrCorrupt, "entry: %w", err)
	}
	fields, err := decode(e.Raw)
	if err != nil {
		return e, err
	}
	annotations, _ := fields["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
	}
	fields["annotations"] = annotations
	if n.MediaType != "" {
		fields["mediaType"] = n.MediaType
	}
	if p := n.platform; p != nil && (e.Platform == nil || content.FormatPlatform(*e.Platform) == content.FormatPlatform(*p)) {
		fields["platform"] = p
	}
	if n.artifactType != "" && e.ArtifactType == "" {
		fields["artifactType"] = n.artifactType
	}
	if n.subject != "" && e.Name() == "" {
		for key, value := range n.annotations {
			if annotations[key] == value {
				delete(annotations, key)
			}
		}
		if annotations[content.AnnotationSubject] == nil {
			annotations[content.AnnotationSubject] = n.subject.String()
		}
	}
	dropEmpty(fields)
	raw, err := rawjson.Marshal(fields)
	if err != nil {
		return e, err
	}
	return layout.ParseEntry(raw)
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

// inOrder sorts entries by class, name, digest and bytes, and drops equal ones.
func inOrder(entries []entry) []entry {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(
			cmp.Compare(class(a.Entry), class(b.Entry)),
			cmp.Compare(a.Name(), b.Name()),
			cmp.Compare(a.Digest, b.Digest),
			bytes.Compare(a.Raw, b.Raw),
		)
	})
	return slices.CompactFunc(entries, func(a, b entry) bool { return bytes.Equal(a.Raw, b.Raw) })
}

// indexJSON is the archive's index.json.
func indexJSON(entries []entry) []byte {
	var b bytes.Buffer
	b.WriteString(`{"schemaVersion":2,"mediaType":"` + mediaTypeIndex + `","manifests":[`)
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(e.Raw)
	}
	b.WriteString("]}\n")
	return b.Bytes()
}
