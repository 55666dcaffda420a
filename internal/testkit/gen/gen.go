// Package gen makes the test vectors: every one from a few lines of Go, with one
// clock and no randomness but from seeds, so that making them again gives the
// same bytes. Each shows one thing.
package gen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

//go:generate env OCILAYOUT_UPDATE=1 go test .

// All makes every vector, in the order of their names.
func All() []vector.Vector {
	all := slices.Concat(soundLayouts(), noticedLayouts(), referrerLayouts(), brokenBlobs(), brokenLayers(), brokenGraphs(), wantedLayouts(),
		indexes(), manifests(), ociArchives(), dockerArchives(), rootfses(), references(), platforms())
	slices.SortFunc(all, func(a, b vector.Vector) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(all); i++ {
		if all[i].Name == all[i-1].Name {
			panic("two vectors are called " + all[i].Name)
		}
	}
	return all
}

// exits gives each outcome its exit code.
var exits = map[string]int{
	"ok": 0, "unsupported": 1, "invalid": 2, "ambiguous": 2, "not-found": 3, "corrupt": 4, "refused": 4,
}

// Sections of image-spec, for the header of vectors.
const (
	specLayout     = "image-layout.md#content"
	specBlobs      = "image-layout.md#blobs"
	specIndexJSON  = "image-layout.md#indexjson-file"
	specMarker     = "image-layout.md#oci-layout-file"
	specIndex      = "image-index.md#image-index-property-descriptions"
	specManifest   = "manifest.md#image-manifest-property-descriptions"
	specDescriptor = "descriptor.md#properties"
	specDigest     = "descriptor.md#digests"
	specConfig     = "config.md#properties"
	specDiffID     = "config.md#layer-diffid"
	specLayer      = "layer.md#layer-media-types"
	specArtifact   = "manifest.md#guidelines-for-artifact-usage"
	specRefName    = "annotations.md#pre-defined-annotation-keys"
	specReferrers  = "distribution-spec: spec.md#referrers-tag-schema"
)

// of makes a vector of a problem or several with ", " between them. The problems
// are all ids that verify reports, whatever their severity.
func of(kind, name, expect, problem, spec, comment string, body []byte) vector.Vector {
	v := vector.Vector{
		Name: kind + "-" + name, Kind: kind, Expect: expect, Exit: exits[expect], Spec: spec, Comment: comment, Body: body,
	}
	if problem != "" {
		v.Problem = strings.Split(problem, ", ")
		slices.Sort(v.Problem)
		v.Problem = slices.Compact(v.Problem)
	}
	return v
}

// imports sets what import makes of v where that is not what verify does.
func imports(outcome string, v vector.Vector) vector.Vector {
	v.Import = outcome
	return v
}

// layoutOf makes a vector of a layout.
func layoutOf(name, expect, problem, spec, comment string, l *build.Layout) vector.Vector {
	return of("layout", name, expect, problem, spec, comment, l.Tar())
}

// hello is the layout of one image that most vectors begin with, changed by edit.
func hello(edit func(l *build.Layout)) *build.Layout {
	l := build.Hello()
	edit(l)
	return l
}

// image is a layout of one image named v1.
func image(i build.Image) *build.Layout {
	l := build.NewLayout()
	l.Tag("v1", l.Image(i))
	return l
}

// manifest is that of the first entry of l.
func manifest(l *build.Layout) content.Manifest {
	m, err := content.ParseManifest("", l.Blobs[l.Entries[0].Digest])
	if err != nil {
		panic(err)
	}
	return m
}

// replace is strings.Replace that must find old.
func replace(s, old, fresh string) string {
	if !strings.Contains(s, old) {
		panic(fmt.Sprintf("%q is not in %q", old, s))
	}
	return strings.Replace(s, old, fresh, 1)
}

// editManifest changes the text of the first entry's manifest. Its descriptor
// follows.
func editManifest(l *build.Layout, edit func(text string) string) {
	e := &l.Entries[0]
	text := string(l.Blobs[e.Digest])
	delete(l.Blobs, e.Digest)
	d := l.Put(e.MediaType, []byte(edit(text)))
	e.Digest, e.Size = d.Digest, d.Size
}

// swapManifest replaces old by fresh in the first entry's manifest.
func swapManifest(old, fresh string) func(l *build.Layout) {
	return func(l *build.Layout) {
		editManifest(l, func(text string) string { return replace(text, old, fresh) })
	}
}

// editConfig changes the text of the first entry's config. Descriptors follow.
func editConfig(l *build.Layout, edit func(text string) string) {
	old := *manifest(l).Config
	fresh := edit(string(l.Blobs[old.Digest]))
	delete(l.Blobs, old.Digest)
	swapBlob(l, old, []byte(fresh))
}

// editLayer sets the bytes of the first entry's first layer. Descriptors follow,
// the diffID does not.
func editLayer(l *build.Layout, data []byte) {
	old := manifest(l).Layers[0]
	delete(l.Blobs, old.Digest)
	swapBlob(l, old, data)
}

// swapBlob puts data in the place of the blob old of the first entry's manifest.
func swapBlob(l *build.Layout, old content.Descriptor, data []byte) {
	d := l.Put(old.MediaType, data)
	swapManifest(pointer(old), pointer(d))(l)
}

// pointer is the part of a descriptor's JSON that points.
func pointer(d content.Descriptor) string {
	return fmt.Sprintf(`"digest":%q,"size":%d`, d.Digest, d.Size)
}

// flip returns data with one bit of the byte at i changed; a negative i counts
// from the end.
func flip(data []byte, i int) []byte {
	data = slices.Clone(data)
	if i < 0 {
		i += len(data)
	}
	data[i] ^= 0x20
	return data
}
