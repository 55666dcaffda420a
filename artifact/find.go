package artifact

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Query says which referrers are wanted and in what order.
type Query struct {
	layout.ReferrerQuery
	// Sort is "created", "size", "type", or the key of an annotation; "" is by digest.
	// What has no such value comes first.
	Sort string
	// Descending turns the order round.
	Descending bool
	// Latest keeps only the last one by Sort, or if that is "" by time of creation.
	Latest bool
}

// Find lists what refers to a subject. What has equal values is in order of digest,
// so that the result depends on the content of the layout alone.
func Find(ctx context.Context, r *layout.Reader, q Query) ([]layout.Referrer, error) {
	found, err := r.FindReferrers(ctx, q.ReferrerQuery)
	if err != nil {
		return nil, err
	}
	return Arrange(found, q), nil
}

// Arrange puts what was found in the order that q asks for, and keeps only the last
// if q wants that. found is changed.
func Arrange(found []layout.Referrer, q Query) []layout.Referrer {
	if q.Latest {
		q.Sort = cmp.Or(q.Sort, "created")
	}
	slices.SortStableFunc(found, func(a, b layout.Referrer) int {
		return cmp.Or(compareBy(q.Sort, a.Descriptor, b.Descriptor), cmp.Compare(a.Digest, b.Digest))
	})
	if q.Latest && len(found) > 0 {
		return found[len(found)-1:]
	}
	if q.Descending {
		slices.Reverse(found)
	}
	return found
}

func compareBy(key string, a, b content.Descriptor) int {
	switch key {
	case "":
		return 0
	case "created":
		return Created(a).Compare(Created(b))
	case "size":
		return cmp.Compare(a.Size, b.Size)
	case "type":
		return cmp.Compare(a.ArtifactType, b.ArtifactType)
	}
	key = strings.TrimPrefix(key, "annotation:")
	return cmp.Compare(a.Annotations[key], b.Annotations[key])
}

// Created is the time in a descriptor's org.opencontainers.image.created; zero if it
// has none that can be read.
func Created(d content.Descriptor) time.Time {
	t, err := time.Parse(time.RFC3339, d.Annotations[ocispec.AnnotationCreated])
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// One finds the only referrer that a query gives: none is ErrNotFound, several are
// ErrAmbiguous, with a list of them.
func One(ctx context.Context, r *layout.Reader, q Query) (layout.Referrer, error) {
	found, err := Find(ctx, r, q)
	switch {
	case err != nil:
		return layout.Referrer{}, err
	case len(found) == 0:
		return layout.Referrer{}, content.AtDigest(q.Subject.Digest, content.Errorf(content.ErrNotFound, "no such artifact is attached"))
	case len(found) == 1:
		return found[0], nil
	}
	const most = 10
	var list []string
	for _, f := range found[:min(len(found), most)] {
		list = append(list, content.Short(f.Digest)+" ("+f.ArtifactType+")")
	}
	if len(found) > most {
		list = append(list, "...")
	}
	return layout.Referrer{}, content.AtDigest(q.Subject.Digest, content.Errorf(content.ErrAmbiguous, "%d artifacts fit: %s", len(found), strings.Join(list, ", ")))
}

// Response is an image index that lists referrers as a registry's referrers API
// does (distribution-spec, "Listing Referrers").
func Response(found []layout.Referrer) ocispec.Index {
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []content.Descriptor{}}
	index.SchemaVersion = 2
	for _, f := range found {
		index.Manifests = append(index.Manifests, f.Descriptor)
	}
	return index
}
