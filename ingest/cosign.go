package ingest

import (
	"context"
	"maps"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// annotationKind is what cosign save calls the entries of its layouts by, which have
// no names.
const annotationKind = "kind"

// savedSuffixes are the ends of the tags that cosign has in a registry for what
// these kinds of entries are.
var savedSuffixes = map[string]string{
	"dev.cosignproject.cosign/sigs":  ".sig",
	"dev.cosignproject.cosign/atts":  ".att",
	"dev.cosignproject.cosign/sboms": ".sbom",
}

// nameSaved gives the signatures, attestations and SBOMs that cosign save wrote the
// names that they have in a registry, and says whether cosign save wrote any of the
// entries. They belong to the image before them.
func nameSaved(list *entries) (saved bool) {
	var image content.Digest
	for i, e := range list.all() {
		kind := e.Annotations[annotationKind]
		switch suffix, known := savedSuffixes[kind]; {
		case kind == "dev.cosignproject.cosign/image", kind == "dev.cosignproject.cosign/imageIndex":
			image, saved = e.Digest, true
		case known && e.Name() == "" && image != "":
			list.set(i, e.WithAnnotation(content.AnnotationRefName, layout.FallbackTag(image)+suffix))
		}
	}
	return saved
}

// bundles finds the referrers that cosign save writes as blobs and lists nowhere:
// manifests with a subject that is taken. cosign load finds them in the same way. What
// refers to those is found too.
func (im *importer) bundles(ctx context.Context) ([]root, error) {
	rest, err := im.unlisted(ctx)
	if err != nil {
		return nil, err
	}
	var roots []root
	seen := map[content.Digest]bool{}
	for more := true; more; {
		more = false
		for i, d := range rest {
			if d.Digest == "" {
				continue
			}
			if _, wanted := im.want[d.subject]; !wanted {
				continue
			}
			rest[i].Digest, more = "", true
			e := layout.NewEntry(d.Descriptor)
			if err := im.reach(ctx, e, seen); err != nil {
				return nil, err
			}
			roots = append(roots, root{raw: e.Raw, subject: d.subject})
		}
	}
	return roots, nil
}

// unlisted is a manifest that nothing leads to.
type unlisted struct {
	content.Descriptor
	subject content.Digest
}

// unlisted lists the manifests with a subject that are not wanted so far, sorted by
// digest.
func (im *importer) unlisted(ctx context.Context) ([]unlisted, error) {
	sizes := map[content.Digest]int64{}
	for d, m := range im.blobs {
		sizes[d] = m.length
	}
	if im.disk != nil {
		for b, err := range im.disk.Blobs(ctx) {
			if err != nil {
				return nil, err
			}
			if b.Err == nil {
				sizes[b.Digest] = b.Size
			}
		}
	}
	var found []unlisted
	for _, d := range slices.Sorted(maps.Keys(sizes)) {
		if _, wanted := im.want[d]; wanted || sizes[d] > smallBlob {
			continue
		}
		desc := content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: d, Size: sizes[d]}
		m, _, err := content.FetchManifest(ctx, im, desc, im.o.Limits)
		if err != nil || m.Subject == nil || m.Config == nil || content.CheckDigest(m.Subject.Digest) != nil {
			continue // layers, configs and other files, which may be anything
		}
		desc.ArtifactType, desc.Annotations = m.EffectiveArtifactType(), m.Annotations
		found = append(found, unlisted{desc, m.Subject.Digest})
	}
	return found, nil
}
