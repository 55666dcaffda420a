package mutate_test

import (
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// TestSubjectIsListed edits an artifact that is attached to an image, alone and in an
// index: the new one is on the list of the image's referrers, where other tools look.
func TestSubjectIsListed(t *testing.T) {
	for _, inIndex := range []bool{false, true} {
		l := build.NewLayout()
		subject := l.Image(build.Image{})
		l.Tag("image", subject)
		root := l.Attach(subject, "text/report", []byte("x"))
		if inIndex {
			root = l.Index(root)
		}
		l.Tag("v1", root)
		dst, r := edited(t, l, flags(t, "annotation a=b")...)
		made := r.Entry.Descriptor
		if inIndex {
			made = manifestOf(t, dst, made).Manifests[0]
		}
		listed, err := dst.ListedIn(t.Context(), made.Digest)
		if err != nil || len(listed) != 1 || listed[0] != layout.FallbackTag(subject.Digest) {
			t.Errorf("listed under %q, %v", listed, err)
		}
		if m := manifestOf(t, dst, made); m.Subject == nil || !content.SameContent(*m.Subject, ocispec.Descriptor{Digest: subject.Digest, Size: subject.Size}) {
			t.Errorf("subject is %+v", m.Subject)
		}
	}
}
