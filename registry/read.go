package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Fetch opens verified content, the manifest that was found without asking again: see
// content.Fetcher.
func (f *Found) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if d.Digest == f.Digest {
		return content.Verify(io.NopCloser(bytes.NewReader(f.Bytes)), d), nil
	}
	return f.repo.Fetch(ctx, d)
}

// Referrers is Repository.Referrers.
func (f *Found) Referrers(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error {
	return f.repo.Referrers(ctx, desc, artifactType, fn)
}

// Limits are those that content is read with, every one set.
func (f *Found) Limits() content.Limits { return f.repo.Limits() }

// FindReferrers lists what the registry says belongs to a subject, as
// layout.Reader.FindReferrers does of a layout. It has no legacy forms:
// ErrUnsupported. Annotations are what the registry lists, which it need not.
func (f *Found) FindReferrers(ctx context.Context, q layout.ReferrerQuery) ([]layout.Referrer, error) {
	if q.Legacy {
		return nil, content.Errorf(content.ErrUnsupported, "older forms of referrers are found in layouts only: pull the image first")
	}
	var found []layout.Referrer
	seen := map[content.Digest]bool{q.Subject.Digest: true}
	for level := []content.Digest{q.Subject.Digest}; len(level) > 0; {
		var next []content.Digest
		for _, subject := range level {
			list, err := f.repo.referrers(ctx, subject)
			if err != nil {
				return nil, err
			}
			for _, d := range list {
				if seen[d.Digest] {
					continue
				}
				seen[d.Digest] = true
				next = append(next, d.Digest)
				if fits(q, d) {
					found = append(found, layout.Referrer{Descriptor: d, Origin: layout.OriginSubject, Subject: subject})
				}
			}
		}
		if !q.Recursive {
			break
		}
		if len(seen) > maxReferrers {
			return nil, content.Errorf(content.ErrRefused, "there are more than %d referrers", maxReferrers)
		}
		slices.Sort(next)
		level = next
	}
	return found, nil
}

func fits(q layout.ReferrerQuery, d content.Descriptor) bool {
	if q.Type != "" && d.ArtifactType != q.Type {
		return false
	}
	for key, value := range q.Annotations {
		if have, ok := d.Annotations[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// Content opens what has a digest in the repository, verified: a blob, or if there is
// none a manifest.
func (r *Repository) Content(ctx context.Context, want content.Digest) (io.ReadCloser, error) {
	if err := content.CheckDigest(want); err != nil {
		return nil, err
	}
	return ask(ctx, r, want.String(), func(at *Repository, _ []*Repository) (io.ReadCloser, error) { return at.content(ctx, want) })
}

func (r *Repository) content(ctx context.Context, want content.Digest) (io.ReadCloser, error) {
	d, err := r.open(ctx, content.Descriptor{Digest: want}, 0)
	if errors.Is(err, content.ErrNotFound) {
		_, data, err := r.manifest(ctx, want.String(), r.c.o.Limits.Manifest)
		return io.NopCloser(bytes.NewReader(data)), err
	}
	if err != nil {
		return nil, err
	}
	if d.size < 0 {
		return nil, errors.Join(r.at(want.String(), content.Errorf(content.ErrUnsupported, "the registry does not say its size")), d.Close())
	}
	return content.Verify(d, content.Descriptor{Digest: want, Size: d.size}), nil
}

// A TagListing is a tag of a repository. Its JSON is stable.
type TagListing struct {
	Name      string         `json:"name"`
	Digest    content.Digest `json:"digest,omitempty"`
	MediaType string         `json:"mediaType,omitempty"`
	Size      int64          `json:"size,omitempty"` // of the manifest's own bytes
}

// ListTags lists the tags of ref's repository: what they point to only if resolve is
// set, which costs a request for each. keep, if not nil, chooses among them.
func ListTags(ctx context.Context, s *Session, ref Reference, keep func(string) bool, resolve bool) ([]TagListing, error) {
	repo, err := s.OpenToRead(ctx, ref)
	if err != nil {
		return nil, err
	}
	tags, err := repo.Tags(ctx)
	if err != nil {
		return nil, err
	}
	list := []TagListing{}
	for _, tag := range tags {
		if keep != nil && !keep(tag) {
			continue
		}
		item := TagListing{Name: tag}
		if resolve {
			d, err := repo.Resolve(ctx, tag)
			if errors.Is(err, content.ErrNotFound) {
				continue // it went meanwhile
			}
			if err != nil {
				return nil, err
			}
			item.Digest, item.MediaType, item.Size = d.Digest, d.MediaType, d.Size
		}
		list = append(list, item)
	}
	return list, nil
}
