package build

import (
	"maps"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// A Layout is an image layout as a value. Make one with NewLayout.
type Layout struct {
	Blobs
	Entries []content.Descriptor
	// IndexJSON and OCILayout, if not nil, are written in place of what the
	// entries say and of the usual text; an empty one leaves the file out.
	IndexJSON []byte
	OCILayout []byte
	// Extra are further files, after all others.
	Extra []File
}

// NewLayout is an empty layout.
func NewLayout() *Layout { return &Layout{Blobs: Blobs{}} }

// Hello is a layout of one linux/amd64 image named v1.
func Hello() *Layout {
	l := NewLayout()
	l.Tag("v1", l.Image(Image{}))
	return l
}

// Add appends entries as they are.
func (l *Layout) Add(entries ...content.Descriptor) { l.Entries = append(l.Entries, entries...) }

// Tag appends an entry for d under a name: a bare tag goes to ref.name, a full
// name to both annotations, as buildx and docker save have them.
func (l *Layout) Tag(name string, d content.Descriptor) {
	d.Annotations = maps.Clone(d.Annotations)
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	d.Annotations[content.AnnotationRefName] = name
	if strings.ContainsAny(name, ":/") {
		d.Annotations[content.AnnotationImageName] = name
		d.Annotations[content.AnnotationRefName] = name[strings.LastIndex(name, ":")+1:]
	}
	l.Add(d)
}

// Attach adds an artifact of subject with an entry for it and the fallback tag
// that lists it, alone.
func (l *Layout) Attach(subject content.Descriptor, artifactType string, file []byte) content.Descriptor {
	a := l.Artifact(artifactType, &subject, file)
	l.Tag(FallbackTag(subject.Digest), l.Index(a))
	return a
}

// FallbackTag is the tag under which a layout lists the referrers of d
// (distribution-spec, "Referrers Tag Schema").
func FallbackTag(d content.Digest) string { return strings.Replace(d.String(), ":", "-", 1) }

// IndexFile is the text of index.json.
func (l *Layout) IndexFile() []byte {
	if l.IndexJSON != nil {
		return l.IndexJSON
	}
	return JSON(IndexOf(l.Entries...))
}

// Files lists the layout's files: oci-layout, index.json, blobs in the order of
// their digests, and what is extra.
func (l *Layout) Files() []File {
	marker := l.OCILayout
	if marker == nil {
		marker = []byte(`{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`)
	}
	var files []File
	for _, f := range []File{{Name: "oci-layout", Body: marker}, {Name: "index.json", Body: l.IndexFile()}} {
		if len(f.Body) > 0 {
			files = append(files, f)
		}
	}
	files = append(files, Dir("blobs"), Dir("blobs/sha256"))
	for _, d := range l.Digests() {
		files = append(files, File{Name: BlobPath(d), Body: l.Blobs[d]})
	}
	return append(files, l.Extra...)
}

// Tar is the layout as an archive in one uncompressed tar.
func (l *Layout) Tar() []byte { return Tar(l.Files()...) }

// WriteDir writes the layout below dir.
func (l *Layout) WriteDir(dir string) error { return WriteDir(dir, l.Files()...) }
