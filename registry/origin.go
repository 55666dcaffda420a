package registry

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// An origin is where a pusher takes images from: a layout, or another repository. But for
// Fetch of blobs it is used by one goroutine.
type origin interface {
	content.Fetcher
	// Exists says of a manifest whether it is there. Of a blob it may say true unasked:
	// whoever fetches it is told.
	content.Exister
	// Referrers lists what refers to a subject: see layout.Reader.Referrers.
	Referrers(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error
	Limits() content.Limits
	// Path is what the source is called in errors.
	Path() string

	// locate finds what is under a digest.
	locate(ctx context.Context, d content.Digest) (content.Descriptor, error)
	// refers says whether what Referrers listed is there and is what it is said to be.
	refers(ctx context.Context, d content.Descriptor, subject content.Digest) (bool, error)
	// signed lists what cosign made for a manifest, with the tags that it gave.
	signed(ctx context.Context, subject content.Digest) ([]target, error)
}

// fromLayout is a layout. Its lists of referrers are right.
type fromLayout struct {
	*layout.Reader
	cosign map[content.Digest][]target
}

func (l *fromLayout) locate(ctx context.Context, d content.Digest) (content.Descriptor, error) {
	return l.Locate(ctx, layout.Reference{Digest: d})
}

func (l *fromLayout) refers(context.Context, content.Descriptor, content.Digest) (bool, error) {
	return true, nil
}

func (l *fromLayout) signed(ctx context.Context, subject content.Digest) ([]target, error) {
	if l.cosign == nil {
		found := map[content.Digest][]target{}
		err := l.View(ctx, func(x *layout.Index) error {
			for e, err := range x.EntriesIf(func(s layout.Summary) bool { return s.IsCosignTag() }) {
				if err != nil {
					return err
				}
				if about := e.CosignSubject(); about != "" {
					found[about] = append(found[about], target{e.Descriptor, []string{e.RefName()}})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		l.cosign = found
	}
	return l.cosign[subject], nil
}

// fromRepository is a repository. It keeps the manifests that were read, so that each
// is asked for once.
type fromRepository struct {
	*Repository
	known  map[content.Digest][]byte
	cosign map[string][]string // tags, by the FallbackTag of what they are about
}

// Path is the host with the repository.
func (r *fromRepository) Path() string { return r.ref.Name() }

// read asks for the manifest at a point.
func (r *fromRepository) read(ctx context.Context, point string) (content.Descriptor, error) {
	d, data, err := r.Manifest(ctx, point)
	if err == nil {
		r.known[d.Digest] = data
	}
	return d, err
}

func (r *fromRepository) locate(ctx context.Context, d content.Digest) (content.Descriptor, error) {
	return r.read(ctx, d.String())
}

// Fetch opens verified content.
func (r *fromRepository) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if !content.HasEdges(d.MediaType) {
		return r.Repository.Fetch(ctx, d)
	}
	if r.known[d.Digest] == nil {
		if _, err := r.read(ctx, d.Digest.String()); err != nil {
			return nil, err
		}
	}
	return content.Verify(io.NopCloser(bytes.NewReader(r.known[d.Digest])), d), nil
}

// Exists asks for no more than what Fetch would say.
func (r *fromRepository) Exists(context.Context, content.Descriptor) (bool, error) { return true, nil }

func (r *fromRepository) refers(ctx context.Context, d content.Descriptor, subject content.Digest) (bool, error) {
	_, ok, err := r.isReferrer(ctx, r, d, subject)
	return ok, err
}

func (r *fromRepository) signed(ctx context.Context, subject content.Digest) (found []target, err error) {
	if r.cosign == nil {
		if r.cosign, err = r.cosignTags(ctx); err != nil {
			return nil, err
		}
	}
	for _, tag := range r.cosign[layout.FallbackTag(subject)] {
		d, err := r.read(ctx, tag)
		if errors.Is(err, content.ErrNotFound) {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, err
		}
		found = append(found, target{d, []string{tag}})
	}
	return found, nil
}
