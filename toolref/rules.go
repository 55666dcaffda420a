package toolref

import (
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A view is what a program sees of a layout.
type view struct {
	path    string
	in      place
	entries []layout.Entry // of index.json, in its order
	want    content.Digest
	// alone says that manifest.json of an archive lists one image, and that this is
	// the one wanted.
	alone bool
}

// A rule finds what a program finds under a name: its digest, or why nothing. A rule
// without names is asked once, with "".
type rule struct {
	names bool
	find  func(v *view, name string) (content.Digest, string)
}

var (
	// firstRef is the first image with that ref.name.
	firstRef = rule{true, func(v *view, name string) (content.Digest, string) {
		for _, e := range v.entries {
			if e.RefName() == name && content.HasEdges(e.MediaType) {
				return e.Digest, ""
			}
		}
		return "", notCalled(name)
	}}
	// lastRef is the last entry with that ref.name.
	lastRef = rule{true, func(v *view, name string) (content.Digest, string) {
		for i := len(v.entries) - 1; i >= 0; i-- {
			if v.entries[i].RefName() == name {
				return v.entries[i].Digest, ""
			}
		}
		return "", notCalled(name)
	}}
	// refOrSuffix is the first entry with that ref.name, or else the first whose
	// ref.name ends so after a ":".
	refOrSuffix = rule{true, func(v *view, name string) (content.Digest, string) {
		for _, same := range []func(string) bool{
			func(ref string) bool { return ref == name },
			func(ref string) bool { return strings.HasSuffix(ref, ":"+name) },
		} {
			for _, e := range v.entries {
				if same(e.RefName()) {
					return e.Digest, ""
				}
			}
		}
		return "", notCalled(name)
	}}
	// imageNameOrRef is the first entry with that io.containerd.image.name, or else
	// the first with that ref.name.
	imageNameOrRef = rule{true, func(v *view, name string) (content.Digest, string) {
		for _, e := range v.entries {
			if e.Annotations[content.AnnotationImageName] == name {
				return e.Digest, ""
			}
		}
		for _, e := range v.entries {
			if e.RefName() == name {
				return e.Digest, ""
			}
		}
		return "", notCalled(name)
	}}
	// onlyEntry is the one entry that there is.
	onlyEntry = rule{false, only}
	// onlyNameless is the one entry that there is, if it has no name.
	onlyNameless = rule{false, func(v *view, _ string) (content.Digest, string) {
		if len(v.entries) == 1 && v.entries[0].RefName() != "" {
			return "", "the name that the image has would be taken"
		}
		return only(v, "")
	}}
	// anyEntry is the entry with the digest that is wanted.
	anyEntry = rule{false, func(v *view, _ string) (content.Digest, string) {
		for _, e := range v.entries {
			if e.Digest == v.want {
				return v.want, ""
			}
		}
		return "", "the digest must be that of an entry of index.json"
	}}
	// onlyInDockerManifest is the one image of an archive's manifest.json.
	onlyInDockerManifest = rule{false, func(v *view, _ string) (content.Digest, string) {
		if !v.alone {
			return "", "of a tar, manifest.json is read, and must list this image alone; export the image to a tar of its own"
		}
		return v.want, ""
	}}
)

func only(v *view, _ string) (content.Digest, string) {
	if len(v.entries) != 1 {
		return "", "where no name can be given index.json must have one entry alone: copy the image to a layout of its own"
	}
	return v.entries[0].Digest, ""
}

func notCalled(name string) string { return "nothing has the ref.name " + name }
