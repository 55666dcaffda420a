package layout

import (
	"encoding/json"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// An Entry is one descriptor of index.json, with the bytes that it has there.
// Entries travel with their bytes, since a struct that is decoded and encoded
// again loses what it does not know. Raw is nil for a descriptor that stands in no
// index.json. Treat an Entry as a value: the With methods return a changed copy.
type Entry struct {
	content.Descriptor
	Raw json.RawMessage
}

// Kind is the class of an entry. Entries of index.json stand in the order of
// their classes, since some readers take the first one whatever it is.
type Kind uint8

// The classes of entries, in their order.
const (
	KindNamedImage Kind = iota
	KindImage
	KindArtifact
	KindFallback // an index of referrers under its subject's fallback tag
)

// NewEntry makes an entry of a descriptor, as compact JSON.
func NewEntry(d content.Descriptor) Entry {
	raw, err := rawjson.Marshal(d)
	if err != nil { // only a type that can't be encoded fails, and a descriptor has none
		panic(err)
	}
	return Entry{Descriptor: d, Raw: raw}
}

// ParseEntry reads the bytes of one entry. What is not a descriptor, or has a
// digest that is none or a negative size, is ErrCorrupt.
func ParseEntry(raw []byte) (Entry, error) {
	d, ok := quickDescriptor(raw)
	if !ok {
		d = content.Descriptor{}
		if err := json.Unmarshal(raw, &d); err != nil {
			return Entry{}, content.Errorf(content.ErrCorrupt, "entry is not a descriptor: %w", err)
		}
	}
	if err := checkDescriptor(d); err != nil {
		return Entry{}, err
	}
	return Entry{Descriptor: d, Raw: raw}, nil
}

// checkDescriptor holds what the type of an entry leaves open.
func checkDescriptor(d content.Descriptor) error {
	if err := content.CheckDigest(d.Digest); err != nil {
		return content.Errorf(content.ErrCorrupt, "entry: %v", err) // not ErrInvalid: no argument of the caller
	}
	if d.Size < 0 {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrCorrupt, "entry has size %d", d.Size))
	}
	return nil
}

// Name is what the entry is called: io.containerd.image.name if it is there, else
// org.opencontainers.image.ref.name, else "".
func (e Entry) Name() string {
	return entryName(e.Annotations[content.AnnotationImageName], e.Annotations[content.AnnotationRefName])
}

func entryName(imageName, refName string) string {
	if imageName != "" {
		return imageName
	}
	return refName
}

// RefName is the entry's org.opencontainers.image.ref.name.
func (e Entry) RefName() string { return e.Annotations[content.AnnotationRefName] }

// Kind judges by the entry's own fields alone; no manifest is read. So an
// artifact without artifactType counts as an image.
func (e Entry) Kind() Kind {
	return kindOf(e.MediaType, isArtifact(e.ArtifactType, e.Annotations[content.AnnotationSubject]), e.Name())
}

// summary is what an Index would keep of the entry.
func (e Entry) summary() Summary { return Summary{e.Name(), e.RefName(), e.Kind()} }

// IsImage says whether the entry is of one of the two classes of images, and not
// a tag that cosign made for what belongs to an image.
func (e Entry) IsImage() bool { return e.Kind() <= KindImage && !e.IsCosignTag() }

// IsCosignTag says whether the entry's name is one of those under which cosign
// stores signatures, attestations and SBOMs of the digest in it.
func (e Entry) IsCosignTag() bool { return isCosignTag(e.Name()) }

// isArtifact says whether an entry says to be an artifact or a referrer. crane and
// cosign write the type of an image's config as its artifactType.
func isArtifact(artifactType, subject string) bool {
	return subject != "" || artifactType != "" && !content.IsImageConfig(artifactType)
}

// kindOf judges by an entry's media type, whether it says to be an artifact or a
// referrer, and its name.
func kindOf(mediaType string, artifact bool, name string) Kind {
	switch {
	case content.IsIndex(mediaType) && isFallbackTag(name):
		return KindFallback
	case artifact || !content.HasEdges(mediaType):
		return KindArtifact
	case mediaType == content.OCIArtifactManifest || mediaType == content.ORASArtifactManifest:
		return KindArtifact
	case name != "":
		return KindNamedImage
	}
	return KindImage
}

// isFallbackTag says whether name is an algorithm, a dash and at least 32 hex
// digits: the referrers tag of distribution-spec.
func isFallbackTag(name string) bool {
	alg, enc, ok := strings.Cut(name, "-")
	return ok && (alg == "sha256" || alg == "sha512") && len(enc) == 64 && content.IsHex(enc)
}

// IsReferrerTag says whether a tag is one that no person gives: that of a list of
// referrers, or of what cosign made.
func IsReferrerTag(tag string) bool { return isFallbackTag(tag) || isCosignTag(tag) }

func isCosignTag(name string) bool {
	for _, suffix := range []string{".sig", ".att", ".sbom"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			base = base[strings.LastIndexAny(base, ":/")+1:]
			return isFallbackTag(base)
		}
	}
	return false
}

// WithAnnotation returns e with one annotation set, or removed if value is "".
// Every other byte of the entry stays.
func (e Entry) WithAnnotation(key, value string) Entry {
	o := e.object()
	annotations, err := rawjson.Parse(o.Get("annotations"))
	if err != nil { // absent, or null
		annotations = &rawjson.Object{}
	}
	if value == "" {
		annotations.Delete(key)
	} else {
		annotations.SetString(key, value)
	}
	if annotations.Len() == 0 {
		o.Delete("annotations")
	} else {
		o.Set("annotations", annotations.Bytes())
	}
	return e.rebuilt(o)
}

// WithContent returns e pointing at other content: digest, size and media type,
// and platform and artifactType where d has them. The fields that e has besides
// stay, but for embedded data, which was of the old content.
func (e Entry) WithContent(d content.Descriptor) Entry {
	fresh := NewEntry(d).object()
	o := e.object()
	o.Delete("data")
	for _, f := range fresh.Fields() {
		if f.Key != "annotations" {
			o.Set(f.Key, f.Value)
		}
	}
	for _, key := range []string{"platform", "artifactType"} {
		if fresh.Get(key) == nil {
			o.Delete(key)
		}
	}
	return e.rebuilt(o)
}

// object parses the entry's bytes; an entry without any is made of its fields.
func (e Entry) object() *rawjson.Object {
	raw := e.Raw
	if raw == nil {
		raw = NewEntry(e.Descriptor).Raw
	}
	o, err := rawjson.Parse(raw)
	if err != nil { // ParseEntry took these bytes: only a key given twice comes here
		o, _ = rawjson.Parse(NewEntry(e.Descriptor).Raw)
	}
	return o
}

func (e Entry) rebuilt(o *rawjson.Object) Entry {
	changed, err := ParseEntry(o.Bytes())
	if err != nil { // edits put in only strings and what encoded from a descriptor
		panic(err)
	}
	return changed
}

// platformed returns e with the platform of its image, if it lacks one.
func (e Entry) platformed(p *content.Platform) Entry {
	if e.Platform != nil || p == nil {
		return e
	}
	o := e.object()
	raw, err := rawjson.Marshal(ocispec.Platform(*p))
	if err != nil {
		panic(err) // strings always encode
	}
	o.Set("platform", raw)
	return e.rebuilt(o)
}
