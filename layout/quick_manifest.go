package layout

import (
	"bytes"
	"encoding/json"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// ParseManifest is content.ParseManifest, several times as fast where a manifest
// leaves no doubt, as nearly all do: for who reads very many.
func ParseManifest(mediaType string, data []byte) (content.Manifest, error) {
	if m, ok := quickManifest(data); ok {
		return content.CheckManifest(mediaType, m)
	}
	return content.ParseManifest(mediaType, data)
}

// manifestFields are those of content.Manifest.
var manifestFields = []string{
	"schemaVersion", "mediaType", "artifactType", "config", "layers", "blobs", "manifests", "subject", "refers", "annotations",
}

// quickManifest decodes a manifest as encoding/json would. It says false for one
// that leaves any doubt: see quickDescriptor.
func quickManifest(raw []byte) (content.Manifest, bool) {
	var m content.Manifest
	version := int64(-1)
	q := quickDecoder{plain: true}
	ok := q.document(raw, func(key, b []byte) (int, error) {
		switch string(key) {
		case "schemaVersion":
			return q.number(b, &version)
		case "mediaType":
			return q.text(b, &m.MediaType)
		case "artifactType":
			return q.text(b, &m.ArtifactType)
		case "config":
			return q.descriptor(b, &m.Config)
		case "subject":
			return q.descriptor(b, &m.Subject)
		case "layers":
			return q.descriptors(b, &m.Layers)
		case "manifests":
			return q.descriptors(b, &m.Manifests)
		case "annotations":
			q.plain = q.plain && m.Annotations == nil
			return q.texts(b, &m.Annotations)
		}
		q.plain = q.plain && !isLike(key, manifestFields)
		return skipValue(b, quickDepth)
	})
	m.SchemaVersion = max(int(version), 0)
	return m, ok && int64(m.SchemaVersion) == max(version, 0)
}

// Facts are what an image's config says of the image as a whole.
type Facts struct {
	content.Platform
	DiffIDs []content.Digest
}

// factFields are those that ParseFacts looks at.
var factFields = []string{"architecture", "os", "os.version", "os.features", "variant", "rootfs"}

// ParseFacts reads the bytes of an image's config (image-spec config.md). What is no
// JSON, or not of the shape of a config, is ErrCorrupt.
func ParseFacts(data []byte) (Facts, error) {
	if f, ok := quickFacts(data); ok {
		return f, nil
	}
	var config struct {
		content.Platform
		RootFS struct {
			DiffIDs []content.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return Facts{}, content.Errorf(content.ErrCorrupt, "not an image config: %w", err)
	}
	return Facts{config.Platform, config.RootFS.DiffIDs}, nil
}

func quickFacts(raw []byte) (Facts, bool) {
	var f Facts
	q := quickDecoder{plain: true}
	ok := q.document(raw, func(key, b []byte) (int, error) {
		switch string(key) {
		case "architecture":
			return q.text(b, &f.Architecture)
		case "os":
			return q.text(b, &f.OS)
		case "variant":
			return q.text(b, &f.Variant)
		case "os.version":
			return q.text(b, &f.OSVersion)
		case "rootfs":
			return q.rootFS(b, &f.DiffIDs)
		}
		q.plain = q.plain && !isLike(key, factFields)
		return skipValue(b, quickDepth)
	})
	return f, ok
}

func (q *quickDecoder) rootFS(b []byte, to *[]content.Digest) (int, error) {
	if len(b) == 0 || b[0] != '{' {
		q.plain = false
		return skipValue(b, quickDepth)
	}
	return eachField(b, func(key, b []byte) (int, error) {
		if string(key) != "diff_ids" {
			q.plain = q.plain && !isLike(key, []string{"diff_ids"})
			return skipValue(b, quickDepth)
		}
		q.plain = q.plain && *to == nil
		*to = []content.Digest{}
		return q.array(b, func(b []byte) (int, error) {
			var d string
			n, err := q.text(b, &d)
			*to = append(*to, content.Digest(d))
			return n, err
		})
	})
}

// document steps over an object that is all of raw, and says whether it was plain.
func (q *quickDecoder) document(raw []byte, field func(key, b []byte) (int, error)) bool {
	if len(raw) == 0 || raw[0] != '{' {
		return false
	}
	n, err := eachField(raw, field)
	return err == nil && q.plain && len(bytes.TrimLeft(raw[n:], " \t\r\n")) == 0
}

func (q *quickDecoder) descriptor(b []byte, to **content.Descriptor) (int, error) {
	n, err := skipValue(b, quickDepth)
	if err != nil {
		return n, err
	}
	d, ok := quickDescriptor(b[:n])
	q.plain = q.plain && ok && *to == nil
	*to = &d
	return n, nil
}

func (q *quickDecoder) descriptors(b []byte, to *[]ocispec.Descriptor) (int, error) {
	q.plain = q.plain && *to == nil
	*to = []ocispec.Descriptor{}
	return q.array(b, func(b []byte) (int, error) {
		n, err := skipValue(b, quickDepth)
		if err != nil {
			return n, err
		}
		d, ok := quickDescriptor(b[:n])
		q.plain = q.plain && ok
		*to = append(*to, d)
		return n, nil
	})
}

// array calls value with the bytes from each value of an array on.
func (q *quickDecoder) array(b []byte, value func(b []byte) (int, error)) (int, error) {
	if len(b) == 0 || b[0] != '[' {
		q.plain = false
		return skipValue(b, quickDepth)
	}
	i, err := skipSpace(b, 1)
	if err != nil {
		return i, err
	}
	if b[i] == ']' {
		return i + 1, nil
	}
	for {
		n, err := value(b[i:])
		if err != nil {
			return i + n, err
		}
		if i, err = skipSpace(b, i+n); err != nil {
			return i, err
		}
		switch b[i] {
		case ',':
			if i, err = skipSpace(b, i+1); err != nil {
				return i, err
			}
		case ']':
			return i + 1, nil
		default:
			return i, errShort
		}
	}
}
