package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// PullOptions say what is pulled and how. The zero value pulls all that belongs to an
// image.
type PullOptions struct {
	// Name is what the image is called in the layout; "" is its name in the registry,
	// with the host, or no name if it is pulled by its digest alone.
	Name string
	// Platforms are the only ones pulled of an index, with their attestations; the
	// index is kept as it is, and is sparse then. None means all.
	Platforms []content.Platform
	// NoReferrers leaves out what has something pulled as its subject, and what cosign
	// made for it.
	NoReferrers bool
	// Policy says what becomes of a name that other content has.
	Policy layout.Policy
}

// A PullReport says what a pull did.
type PullReport struct {
	Digest content.Digest `json:"digest"` // of the image
	layout.TransferReport
}

// Pull brings what from means, or its tag latest if it has neither tag nor digest, into
// dst, with all that refers to it: referrers at any depth, and what cosign made. Names
// change in one transaction once the content is proven and durable; if Pull fails they
// are as before. What dst has already is not fetched.
//
// Requests, besides those for tokens: one for the manifest, one for each blob and each
// child of an index that dst does not have; if it has all, no other. With referrers, one
// more for each manifest, two where the registry lacks the referrers API, and one for
// each thousand tags.
func Pull(ctx context.Context, s *Session, from Reference, dst *layout.Layout, o PullOptions) (PullReport, error) {
	found, err := Find(ctx, s, from)
	if err != nil {
		return PullReport{TransferReport: layout.TransferReport{Changes: []layout.Change{}}}, err
	}
	return found.Pull(ctx, dst, o)
}

// A Found is what a reference means in a registry.
type Found struct {
	content.Descriptor
	// Bytes are those of the manifest, proven.
	Bytes []byte

	from Reference
	repo *Repository
}

// Find reads the manifest that from means, or its tag latest if it has neither tag nor
// digest, in one request. So one can know that it is there before anything is made
// for it.
func Find(ctx context.Context, s *Session, from Reference) (*Found, error) {
	from = from.OrLatest()
	repo, err := s.Open(ctx, from)
	if err != nil {
		return nil, err
	}
	d, data, err := repo.Manifest(ctx, from.point())
	if err != nil {
		return nil, err
	}
	return &Found{d, data, from, repo}, nil
}

// Pull brings what was found into dst: see Pull.
func (f *Found) Pull(ctx context.Context, dst *layout.Layout, o PullOptions) (report PullReport, err error) {
	if o.Name != "" {
		if err := layout.CheckName(o.Name); err != nil {
			return report, err
		}
	} else if f.from.Tag != "" {
		o.Name = f.from.Name() + ":" + f.from.Tag
	}
	p := puller{from: f.from, repo: f.repo, dst: dst, o: o, batch: dst.Batch(), seen: map[content.Digest]bool{}}
	p.report.Digest, p.report.Changes = f.Digest, []layout.Change{}
	defer func() { err = errors.Join(err, p.batch.Close()) }()
	p.src = localFirst{p.batch, p.repo, map[content.Digest][]byte{f.Digest: f.Bytes}}
	if err := p.gather(ctx, f.Descriptor); err != nil {
		return p.report, err
	}
	if err := p.batch.Publish(ctx); err != nil {
		return p.report, err
	}
	err = dst.Update(ctx, func(tx *layout.Tx) error { return p.commit(ctx, tx) })
	return p.report, content.At(dst.Path(), err)
}

type puller struct {
	from    Reference
	repo    *Repository
	src     localFirst
	dst     *layout.Layout
	o       PullOptions
	batch   *layout.Batch
	seen    map[content.Digest]bool // everything that was brought
	entries []layout.Entry          // the image, then what cosign made
	lists   []list
	report  PullReport
}

// A list is what refers to one subject.
type list struct {
	subject   content.Digest
	artifacts []content.Descriptor
}

// gather stages the image and what belongs to it.
func (p *puller) gather(ctx context.Context, d content.Descriptor) error {
	if err := p.entry(ctx, d, p.o.Name); err != nil || p.o.NoReferrers {
		return err
	}
	asked := map[content.Digest]bool{}
	for {
		found, err := p.referrers(ctx, asked)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			break
		}
	}
	return p.cosign(ctx)
}

// root reads the manifest at a point.
func (p *puller) root(ctx context.Context, point string) (content.Descriptor, error) {
	d, data, err := p.repo.Manifest(ctx, point)
	if err == nil {
		p.src.known[d.Digest] = data
	}
	return d, err
}

// entry brings a manifest with all below it, and notes the entry for it.
func (p *puller) entry(ctx context.Context, d content.Descriptor, name string) error {
	if err := p.bring(ctx, d); err != nil {
		return err
	}
	m, _, err := content.FetchManifest(ctx, p.src, d, p.repo.Limits())
	if err != nil {
		return err
	}
	if !content.IsIndex(d.MediaType) && !m.IsImage() || m.ArtifactType != "" {
		d.ArtifactType = m.EffectiveArtifactType()
	}
	if m.IsImage() {
		if d.Platform, err = content.PlatformOf(ctx, p.src, d, p.repo.Limits()); err != nil {
			return err
		}
	}
	e := layout.NewEntry(d)
	if name != "" {
		e = e.WithName(name)
	}
	p.entries = append(p.entries, e)
	return nil
}

func (p *puller) bring(ctx context.Context, roots ...content.Descriptor) error {
	done, err := layout.CopyGraph(ctx, p.batch, p.src, roots, layout.CopyOptions{Platforms: p.o.Platforms, Seen: p.seen, Workers: workers})
	p.report.Add(done)
	return content.At(p.from.Name(), err)
}

// referrers brings what refers to the manifests that came since the last time.
func (p *puller) referrers(ctx context.Context, asked map[content.Digest]bool) ([]content.Descriptor, error) {
	var all []content.Descriptor
	for _, subject := range slices.Sorted(maps.Keys(p.seen)) {
		if asked[subject] || p.src.known[subject] == nil {
			continue
		}
		asked[subject] = true
		found, err := p.repo.referrers(ctx, subject)
		if err != nil {
			return nil, err
		}
		var own []content.Descriptor
		for _, d := range found {
			ok, err := p.isOf(ctx, d, subject)
			if err != nil {
				return nil, err
			}
			if ok {
				own = append(own, d)
			}
		}
		if len(own) > 0 {
			p.lists = append(p.lists, list{subject, own})
			p.report.Referrers += len(own)
			all = append(all, own...)
		}
	}
	if len(p.src.known) > p.repo.Limits().Nodes {
		return nil, content.At(p.from.Name(), content.Errorf(content.ErrRefused, "there are too many referrers"))
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, p.bring(ctx, all...)
}

// isOf says whether a manifest names the subject. A list may claim what it likes, and
// list what is gone.
func (p *puller) isOf(ctx context.Context, d content.Descriptor, subject content.Digest) (bool, error) {
	m, _, err := content.FetchManifest(ctx, p.src, d, p.repo.Limits())
	if errors.Is(err, content.ErrNotFound) {
		p.repo.c.o.Warn(p.repo.at(d.Digest.String(), content.Errorf(content.ErrMissing, "it is listed as a referrer and is not there")))
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if m.Subject == nil || m.Subject.Digest != subject {
		p.repo.c.o.Warn(p.repo.at(d.Digest.String(), content.Errorf(content.ErrCorrupt, "it is listed as a referrer of %s and is none", subject)))
		return false, nil
	}
	return true, nil
}

// cosign brings what cosign made for any manifest that came.
func (p *puller) cosign(ctx context.Context) error {
	tags, err := p.repo.Tags(ctx)
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrUnauthorized) || errors.Is(err, content.ErrNotFound) {
		p.repo.c.o.Warn(content.At(p.from.Name(), content.Errorf(ErrDenied, "its tags can't be listed, so what cosign signed under tags stays behind: %w", err)))
		return nil
	}
	if err != nil {
		return err
	}
	bases := map[string]bool{}
	for d := range p.src.known {
		bases[layout.FallbackTag(d)] = true
	}
	for _, tag := range tags {
		base, _, _ := strings.Cut(tag, ".")
		if !bases[base] || !(layout.Summary{Name: tag}).IsCosignTag() {
			continue
		}
		d, err := p.root(ctx, tag)
		if err != nil {
			return err
		}
		if err := p.entry(ctx, d, tag); err != nil {
			return err
		}
		p.report.Referrers++
	}
	return nil
}

// commit brings in the entries and the lists of referrers.
func (p *puller) commit(ctx context.Context, tx *layout.Tx) error {
	p.report.Changes = []layout.Change{}
	for _, e := range p.entries {
		change, err := tx.Bring(e, p.o.Policy)
		if err != nil {
			return err
		}
		if change.Name != "" {
			p.report.Changes = append(p.report.Changes, change)
		}
	}
	for _, l := range p.lists {
		if err := tx.AddReferrer(ctx, p.batch, content.Descriptor{Digest: l.subject}, l.artifacts...); err != nil {
			return err
		}
	}
	return nil
}

// localFirst reads manifests from the layout where they are there and right, and all
// else from the registry. It keeps what manifests it has seen.
type localFirst struct {
	batch *layout.Batch
	repo  *Repository
	known map[content.Digest][]byte // used by the walk alone, not by what moves blobs
}

// Fetch opens verified content.
func (f localFirst) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if !content.HasEdges(d.MediaType) {
		if ok, err := f.batch.Exists(ctx, d); err == nil && ok && content.IsImageConfig(d.MediaType) {
			return f.batch.Fetch(ctx, d)
		}
		return f.repo.Fetch(ctx, d)
	}
	data, ok := f.known[d.Digest]
	if !ok {
		var err error
		if data, err = content.FetchAll(ctx, f.batch, d, f.repo.Limits().Manifest); err != nil {
			if data, err = content.FetchAll(ctx, f.repo, d, f.repo.Limits().Manifest); err != nil {
				return nil, err
			}
		}
		f.known[d.Digest] = data
	}
	return content.Verify(io.NopCloser(bytes.NewReader(data)), d), nil
}
