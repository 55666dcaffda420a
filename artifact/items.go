package artifact

import (
	"context"
	"path"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// An Item is a file of an artifact, as its manifest describes it. What its title
// says is not checked yet.
type Item struct {
	content.Descriptor
	// Title is org.opencontainers.image.title; "" for a file without one.
	Title string
	// Unpack says that the item is a directory, as a tar.
	Unpack bool
}

// A Filter picks files of an artifact. Its zero value picks all.
type Filter struct {
	// Names are patterns as of path.Match, for the title or its last element; one of
	// them must fit.
	Names []string
	// MediaTypes are those wanted; one of them must fit.
	MediaTypes []string
}

// Items lists the files of the artifact desc that the filter picks, in the order of
// its manifest. An index has none of its own: ErrInvalid.
func Items(ctx context.Context, f content.Fetcher, desc content.Descriptor, filter Filter, limits content.Limits) ([]Item, error) {
	if !content.IsManifest(desc.MediaType) {
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrInvalid, "%s is no artifact: it has no files", kindName(desc.MediaType)))
	}
	m, _, err := content.FetchManifest(ctx, f, desc, limits)
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, layer := range append(m.Layers, m.Blobs...) {
		if layer.MediaType == ocispec.MediaTypeEmptyJSON {
			continue
		}
		item := Item{layer, layer.Annotations[ocispec.AnnotationTitle], layer.Annotations[annotationUnpack] == "true"}
		ok, err := filter.picks(item)
		if err != nil {
			return nil, err
		}
		if ok {
			items = append(items, item)
		}
	}
	return items, nil
}

func kindName(mediaType string) string {
	if content.IsIndex(mediaType) {
		return "an index"
	}
	return "what has media type " + mediaType
}

func (f Filter) picks(item Item) (bool, error) {
	ok, err := f.named(item.Title)
	if err != nil || !ok || len(f.MediaTypes) == 0 {
		return ok, err
	}
	for _, t := range f.MediaTypes {
		if strings.EqualFold(t, item.MediaType) {
			return true, nil
		}
	}
	return false, nil
}

func (f Filter) named(title string) (bool, error) {
	for _, pattern := range f.Names {
		for _, name := range []string{title, path.Base(title)} {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return false, content.Errorf(content.ErrInvalid, "%q is not a pattern", pattern)
			}
			if ok {
				return true, nil
			}
		}
	}
	return len(f.Names) == 0, nil
}

// fileName is the title of an item, or if it has none a name made of its digest.
func (i Item) fileName() string {
	if i.Title != "" {
		return i.Title
	}
	return i.Digest.Algorithm().String() + "-" + i.Digest.Encoded()
}
