package layout

import (
	"github.com/ocilayout/ocilayout/content"
)

// The annotations that keep the names of an entry while it has none.
const (
	annotationKeptImageName = "io.github.ocilayout.image.name"
	annotationKeptRefName   = "io.github.ocilayout.ref.name"
)

// IsCosignTag is Entry.IsCosignTag.
func (s Summary) IsCosignTag() bool { return isCosignTag(s.Name) }

// CosignBase is the FallbackTag of what an entry that cosign made is about; "" if
// cosign did not make it.
func (e Entry) CosignBase() string { return cosignBase(e.Name()) }

// CosignSubject is the digest in the name of an entry that cosign made; "" if there
// is no whole one.
func (e Entry) CosignSubject() content.Digest {
	if d := cosignSubject(e.Name()); content.CheckDigest(d) == nil {
		return d
	}
	return ""
}

// Shelved returns an entry that cosign made as it is in an archive, where it would
// pass for an image: it has no name, says what it is about as other referrers do,
// and keeps its names in annotations of ours. Unshelved takes that back.
func (e Entry) Shelved(subject content.Digest) Entry {
	imageName, refName := e.Annotations[content.AnnotationImageName], e.RefName()
	return e.withNames("", "").WithAnnotation(annotationKeptImageName, imageName).
		WithAnnotation(annotationKeptRefName, refName).
		WithAnnotation(content.AnnotationSubject, subject.String())
}

// Unshelved returns what Shelved was called on. Another entry, one with a name that
// cosign would not give, and one that is about something else than its name says
// come back as they are.
func (e Entry) Unshelved() Entry {
	imageName, refName := e.Annotations[annotationKeptImageName], e.Annotations[annotationKeptRefName]
	subject := content.Digest(e.Annotations[content.AnnotationSubject])
	name := entryName(imageName, refName)
	if e.Name() != "" || CheckName(name) != nil || refName != "" && CheckName(refName) != nil ||
		content.CheckDigest(subject) != nil || cosignBase(name) != FallbackTag(subject) {
		return e
	}
	return e.WithAnnotation(annotationKeptImageName, "").WithAnnotation(annotationKeptRefName, "").
		WithAnnotation(content.AnnotationSubject, "").withNames(imageName, refName)
}
