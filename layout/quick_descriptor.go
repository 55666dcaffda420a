package layout

import (
	"bytes"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// quickDescriptor decodes an entry as encoding/json would, several times as fast.
// It says false for one that leaves any doubt: with escapes or characters beyond
// ASCII, a key twice or in another case, or a field that entries rarely have. Then
// encoding/json is to decode it.
func quickDescriptor(raw []byte) (content.Descriptor, bool) {
	q := quickDecoder{plain: true}
	return q.entry(raw)
}

// briefDescriptor is quickDescriptor without annotations. The texts are parts of raw,
// which must stay as it is.
func briefDescriptor(raw []byte) (content.Descriptor, bool) {
	q := quickDecoder{plain: true, brief: true}
	d, ok := q.entry(raw)
	d.Annotations = nil
	return d, ok
}

func (q *quickDecoder) entry(raw []byte) (content.Descriptor, bool) {
	if len(raw) == 0 || raw[0] != '{' {
		return content.Descriptor{}, false
	}
	d := content.Descriptor{Size: -1}
	n, err := eachField(raw, func(key, b []byte) (int, error) {
		switch string(key) {
		case "mediaType":
			return q.text(b, &d.MediaType)
		case "digest":
			return q.text(b, (*string)(&d.Digest))
		case "artifactType":
			return q.text(b, &d.ArtifactType)
		case "size":
			return q.number(b, &d.Size)
		case "annotations":
			q.plain = q.plain && d.Annotations == nil
			return q.texts(b, &d.Annotations)
		case "platform":
			q.plain = q.plain && d.Platform == nil
			return q.platform(b, &d.Platform)
		}
		q.plain = q.plain && !isLike(key, descriptorFields)
		return skipValue(b, quickDepth)
	})
	return d, err == nil && n == len(raw) && q.plain && d.Size >= 0
}

// quickDepth is how deep a field that is stepped over may nest.
const quickDepth = 16

// descriptorFields are those of content.Descriptor.
var descriptorFields = []string{"mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"}

// isLike says whether encoding/json may take a key for one of fields: it accepts
// escapes and any case, and beyond ASCII there are letters that it folds into ASCII.
func isLike(key []byte, fields []string) bool {
	if !isPlain(key) {
		return true
	}
	for _, field := range fields {
		if len(key) == len(field) && bytes.EqualFold(key, []byte(field)) {
			return true
		}
	}
	return false
}

// quickDecoder notes whether everything was plain. Its methods step over a value
// and store it.
type quickDecoder struct {
	plain bool
	brief bool // see briefDescriptor
}

func (q *quickDecoder) text(b []byte, to *string) (int, error) {
	if len(b) == 0 || b[0] != '"' {
		q.plain = false
		return skipValue(b, quickDepth)
	}
	n, plain, err := skipPlain(b)
	if err != nil || !plain || *to != "" {
		q.plain = false
		return n, err
	}
	*to = q.keep(b[1 : n-1])
	return n, nil
}

func (q *quickDecoder) keep(b []byte) string {
	if q.brief {
		return passing(b)
	}
	return oneText(b)
}

// oneText is b as a string; the same one for media types that there are many of.
func oneText(b []byte) string {
	switch string(b) {
	case ocispec.MediaTypeImageManifest:
		return ocispec.MediaTypeImageManifest
	case ocispec.MediaTypeImageConfig:
		return ocispec.MediaTypeImageConfig
	case ocispec.MediaTypeImageLayerGzip:
		return ocispec.MediaTypeImageLayerGzip
	case ocispec.MediaTypeImageLayer:
		return ocispec.MediaTypeImageLayer
	case ocispec.MediaTypeEmptyJSON:
		return ocispec.MediaTypeEmptyJSON
	case content.AnnotationRefName:
		return content.AnnotationRefName
	case content.AnnotationImageName:
		return content.AnnotationImageName
	}
	return string(b)
}

// number takes a whole number that can't overflow; to is -1 before.
func (q *quickDecoder) number(b []byte, to *int64) (int, error) {
	n, err := skipValue(b, quickDepth)
	if err != nil || n > 18 || *to >= 0 {
		q.plain = false
		return n, err
	}
	*to = 0
	for _, c := range b[:n] {
		if c < '0' || c > '9' {
			q.plain = false
			return n, nil
		}
		*to = *to*10 + int64(c-'0')
	}
	return n, nil
}

// noTexts stands for annotations that are not kept.
var noTexts = map[string]string{}

func (q *quickDecoder) texts(b []byte, to *map[string]string) (int, error) {
	if len(b) == 0 || b[0] != '{' {
		q.plain = false
		return skipValue(b, quickDepth)
	}
	*to = noTexts
	if !q.brief {
		*to = map[string]string{}
	}
	return eachField(b, func(key, b []byte) (int, error) {
		q.plain = q.plain && isPlain(key)
		var text string
		n, err := q.text(b, &text)
		if err == nil && !q.brief {
			(*to)[oneText(key)] = text
		}
		return n, err
	})
}

func (q *quickDecoder) platform(b []byte, to **content.Platform) (int, error) {
	if len(b) == 0 || b[0] != '{' {
		q.plain = false
		return skipValue(b, quickDepth)
	}
	p := &content.Platform{}
	*to = p
	return eachField(b, func(key, b []byte) (int, error) {
		switch string(key) {
		case "architecture":
			return q.text(b, &p.Architecture)
		case "os":
			return q.text(b, &p.OS)
		case "variant":
			return q.text(b, &p.Variant)
		case "os.version":
			return q.text(b, &p.OSVersion)
		}
		q.plain = false
		return skipValue(b, quickDepth)
	})
}
