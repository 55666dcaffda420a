package layout

import (
	"context"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// ListedIn gives the tags, sorted, under which lists of referrers have the artifact
// d (distribution-spec, "Referrers Tag Schema"), whether or not it is there.
func (r *Reader) ListedIn(ctx context.Context, d content.Digest) ([]string, error) {
	parents, err := r.Predecessors(ctx, content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: d})
	if err != nil || len(parents) == 0 {
		return nil, err
	}
	var tags []string
	err = r.View(ctx, func(x *Index) error {
		for _, parent := range parents {
			entries, err := x.ByDigest(parent.Digest)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if e.Kind() == KindFallback {
					tags = append(tags, e.Name())
				}
			}
		}
		return nil
	})
	slices.Sort(tags)
	return slices.Compact(tags), err
}

// RemoveListed takes an artifact off the list of referrers under a tag, as
// RemoveReferrer does off that of a subject. Another tag than one of those is
// ErrInvalid.
func (tx *Tx) RemoveListed(tag string, artifact content.Digest) error {
	if !isFallbackTag(tag) {
		return content.Errorf(content.ErrInvalid, "%q is no tag of a list of referrers", tag)
	}
	tx.unlist(tag, artifact)
	return nil
}
