package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// maxReferrers is the most referrers of one subject that are followed.
const maxReferrers = 100_000

func sha256Of(data []byte) content.Digest { return digest.SHA256.FromBytes(data) }

// Referrers calls fn with what the registry says has desc as its subject and, unless
// artifactType is "", that type: by its referrers API, or the fallback tag where it has
// none (distribution-spec, "Listing Referrers"). It has the form of oras-go's
// registry.ReferrerLister. Only that the registry has neither is "none": a failure, or
// a refusal to answer, is an error.
func (r *Repository) Referrers(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error {
	list, err := r.referrers(ctx, desc.Digest)
	if err != nil {
		return err
	}
	fit := list[:0]
	for _, d := range list {
		if artifactType == "" || d.ArtifactType == artifactType {
			fit = append(fit, d)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fn(fit)
}

func (r *Repository) ownReferrers(ctx context.Context, subject content.Digest) ([]content.Descriptor, error) {
	if !r.lacks.Load() {
		list, ok, err := r.askAPI(ctx, subject)
		if err != nil {
			return nil, r.at(subject.String(), fmt.Errorf("its referrers: %w", err))
		}
		if ok {
			return list, nil
		}
		r.lacks.Store(true)
	}
	_, data, err := r.manifest(ctx, layout.FallbackTag(subject), r.c.o.Limits.Index)
	if errors.Is(err, content.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := parseList(data)
	return list, r.at(subject.String(), err)
}

// askAPI says false if the registry has no referrers API.
func (r *Repository) askAPI(ctx context.Context, subject content.Digest) ([]content.Descriptor, bool, error) {
	var all []content.Descriptor
	for u := r.url("referrers/" + subject.String()); u != nil; {
		d := &download{ctx: r.asPuller(ctx), repo: r, address: u, accept: ocispec.MediaTypeImageIndex}
		data, err := d.all(r.c.o.Limits.Index)
		if errors.Is(err, content.ErrNotFound) && len(all) == 0 || err == nil && d.mediaType != ocispec.MediaTypeImageIndex {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		list, err := parseList(data)
		if err != nil {
			return nil, false, err
		}
		all = append(all, list...)
		if len(all) > maxReferrers || d.next != nil && len(list) == 0 {
			return nil, false, content.Errorf(content.ErrRefused, "there are more than %d", maxReferrers)
		}
		u = d.next
	}
	return all, true, nil
}

func parseList(data []byte) ([]content.Descriptor, error) {
	var index struct {
		Manifests []content.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, content.Errorf(content.ErrCorrupt, "the list of referrers: %v", err)
	}
	if len(index.Manifests) > maxReferrers {
		return nil, content.Errorf(content.ErrRefused, "there are more than %d referrers", maxReferrers)
	}
	for _, d := range index.Manifests {
		if content.CheckDigest(d.Digest) != nil || d.Size < 0 || !content.HasEdges(d.MediaType) {
			return nil, content.Errorf(content.ErrCorrupt, "the list of referrers has an entry that is none")
		}
	}
	return index.Manifests, nil
}

// isReferrer says whether a manifest names the subject; f reads it. A list may claim what
// it likes, and list what is gone: that is a warning.
func (r *Repository) isReferrer(ctx context.Context, f content.Fetcher, d content.Descriptor, subject content.Digest) (content.Manifest, bool, error) {
	m, _, err := content.FetchManifest(ctx, f, d, r.Limits())
	if errors.Is(err, content.ErrNotFound) {
		r.c.o.Warn(r.at(d.Digest.String(), content.Errorf(content.ErrMissing, "it is listed as a referrer and is not there")))
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	if m.Subject == nil || m.Subject.Digest != subject {
		r.c.o.Warn(r.at(d.Digest.String(), content.Errorf(content.ErrCorrupt, "it is listed as a referrer of %s and is none", subject)))
		return m, false, nil
	}
	return m, true, nil
}

// cosignTags lists the tags that cosign gave, by the FallbackTag of what they are about.
// If tags can't be listed, for want of permission, that is a warning.
func (r *Repository) cosignTags(ctx context.Context) (map[string][]string, error) {
	about := map[string][]string{}
	tags, err := r.Tags(ctx)
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrUnauthorized) || errors.Is(err, content.ErrNotFound) {
		r.c.o.Warn(content.At(r.ref.Name(), content.Errorf(ErrDenied, "its tags can't be listed, so what cosign signed under tags stays behind: %w", err)))
		return about, nil
	}
	for _, tag := range tags {
		if (layout.Summary{Name: tag}).IsCosignTag() {
			base, _, _ := strings.Cut(tag, ".")
			about[base] = append(about[base], tag)
		}
	}
	return about, err
}
