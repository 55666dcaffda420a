package registry

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// Delete deletes the manifest with ref's digest, and so every tag of it; ref.Tag must be
// "". With its referrers, theirs go too, at any depth, and what cosign made for any of
// them; those go first, so that nothing refers to what is not there. Where the registry
// lacks the referrers API the lists under fallback tags are brought up to date. The tags
// that go are not known, so that Deletion.Names is empty. A registry that does not delete
// is ErrUnsupported. If Delete fails, some referrers may have gone; it may be done again.
//
// Requests, besides those for tokens: three, one of them for the manifest and one for its
// referrers, which are two where the registry lacks the referrers API. With referrers,
// three for each of them, one for each thousand tags, and three for each of cosign's
// tags. Without the API, two more for each subject of what was deleted.
func Delete(ctx context.Context, s *Session, ref Reference, withReferrers bool) (layout.Deletion, error) {
	report := layout.Deletion{Digest: ref.Digest, Names: []string{}, Referrers: []content.Digest{}}
	if ref.Digest == "" || ref.Tag != "" {
		return report, content.Errorf(content.ErrInvalid, "%s must have a digest and no tag: delete takes REF@DIGEST, untag a tag", ref)
	}
	repo, err := s.Open(ctx, ref)
	if err != nil {
		return report, err
	}
	ctx = repo.asDeleter(ctx)
	d := deleter{repo: repo, src: &fromRepository{Repository: repo, known: map[content.Digest][]byte{}}, set: map[content.Digest]bool{}}
	err = d.run(ctx, &report, withReferrers)
	return report, err
}

// A deleter deletes manifests of one repository.
type deleter struct {
	repo *Repository
	src  *fromRepository
	gone []doomed                // the manifest, and behind each what refers to it
	set  map[content.Digest]bool // of these
}

// A doomed manifest is to be deleted.
type doomed struct {
	digest  content.Digest
	subject content.Digest // "" for none
}

func (d *deleter) run(ctx context.Context, report *layout.Deletion, withReferrers bool) error {
	root, err := d.src.locate(ctx, report.Digest)
	if err != nil {
		return err
	}
	if err := d.doom(ctx, root); err != nil {
		return err
	}
	if !withReferrers {
		left, err := d.referrersOf(ctx, report.Digest)
		if err != nil {
			return err
		}
		report.Left = len(left)
	} else if err := d.follow(ctx); err != nil {
		return err
	}
	for _, m := range slices.Backward(d.gone) {
		err := d.repo.remove(ctx, m.digest.String())
		if errors.Is(err, content.ErrNotFound) && m.digest != report.Digest {
			continue // it went with another
		}
		if err != nil {
			return err
		}
		if m.digest != report.Digest {
			report.Referrers = append(report.Referrers, m.digest)
		}
	}
	slices.Reverse(report.Referrers)
	return d.unlist(ctx)
}

// doom notes a manifest that is to be deleted, with its subject.
func (d *deleter) doom(ctx context.Context, desc content.Descriptor) error {
	m, _, err := content.FetchManifest(ctx, d.src, desc, d.repo.Limits())
	if err != nil {
		return d.repo.at(desc.Digest.String(), err)
	}
	it := doomed{digest: desc.Digest}
	if m.Subject != nil {
		it.subject = m.Subject.Digest
	}
	d.gone, d.set[desc.Digest] = append(d.gone, it), true
	return nil
}

// referrersOf lists what is there and refers to a subject.
func (d *deleter) referrersOf(ctx context.Context, subject content.Digest) ([]content.Descriptor, error) {
	list, err := d.repo.referrers(ctx, subject)
	if err != nil {
		return nil, err
	}
	var own []content.Descriptor
	for _, r := range list {
		ok, err := d.src.refers(ctx, r, subject)
		if err != nil {
			return nil, err
		}
		if ok {
			own = append(own, r)
		}
	}
	return own, nil
}

// follow dooms what refers to the manifest, what refers to that, and so on, and what
// cosign made for any of them.
func (d *deleter) follow(ctx context.Context) error {
	for i := 0; i < len(d.gone); i++ { // which grows meanwhile
		subject := d.gone[i].digest
		also, err := d.referrersOf(ctx, subject)
		if err != nil {
			return err
		}
		signed, err := d.src.signed(ctx, subject)
		if err != nil {
			return err
		}
		for _, t := range signed {
			also = append(also, t.Descriptor)
		}
		for _, desc := range also {
			if d.set[desc.Digest] {
				continue
			}
			if len(d.set) > d.repo.Limits().Nodes {
				return d.repo.at(subject.String(), content.Errorf(content.ErrRefused, "there are too many referrers"))
			}
			if err := d.doom(ctx, desc); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlist takes what was deleted off the lists of its subjects, where clients keep them
// (distribution-spec, "Deleting Manifests").
func (d *deleter) unlist(ctx context.Context) error {
	if !d.repo.lacks.Load() {
		return nil
	}
	done := map[content.Digest]bool{"": true}
	for _, m := range d.gone {
		if done[m.subject] {
			continue
		}
		done[m.subject] = true
		if err := d.unlistFrom(ctx, m.subject); err != nil {
			return err
		}
	}
	return nil
}

// unlistFrom takes what was deleted off one list. A list of nothing whose subject has
// gone too is deleted.
func (d *deleter) unlistFrom(ctx context.Context, subject content.Digest) error {
	tag := layout.FallbackTag(subject)
	old, index, children, err := d.repo.currentList(ctx, tag)
	if err != nil || old.Digest == "" {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(children), func(raw json.RawMessage) bool {
		var child content.Descriptor
		return json.Unmarshal(raw, &child) == nil && d.set[child.Digest]
	})
	switch {
	case len(left) == len(children):
		return nil
	case len(left) == 0 && d.set[subject]:
		return d.repo.remove(ctx, old.Digest.String())
	}
	index.Set("manifests", rawjson.Array(left))
	data := index.Bytes()
	desc := content.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: sha256Of(data), Size: int64(len(data))}
	_, err = d.repo.putManifest(ctx, desc, data, tag)
	return err
}
