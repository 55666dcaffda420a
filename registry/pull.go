package registry

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// PullOptions say what is pulled and how. The zero value pulls all that belongs to an
// image.
type PullOptions struct {
	// Name is what the image is called in the layout; "" is its name in the registry,
	// with the host, or no name if it is pulled by its digest alone. It is for one image:
	// of several each Want has its own.
	Name string
	// Platforms are the only ones pulled of an index, with their attestations; without
	// Narrow the index is kept as it is, and is sparse then. None means all.
	Platforms []content.Platform
	// Narrow makes new indexes that list only what is taken, as in PushOptions.
	Narrow bool
	// NoReferrers leaves out what has something pulled as its subject, and what cosign
	// made for it.
	NoReferrers bool
	// Belongings say more closely what comes along.
	layout.Belongings
	// ReferrerTypes are the only artifact types of referrers that come along, and so the
	// only ones whose own referrers do; what cosign made counts by what is in it, see
	// layout.TypeOfContent. None means all.
	ReferrerTypes []string
	// MaxReferrers is how many referrers may come along with all images together, what
	// cosign made among them, and MaxReferrerBytes how large they may be with all below
	// them; 0 is DefaultMaxReferrers and DefaultMaxReferrerBytes. More are ErrRefused, and
	// of what would be too much only manifests are fetched.
	MaxReferrers     int
	MaxReferrerBytes int64
	// VerifyExisting reads the blobs that the layout has, and fetches those anew that are
	// wrong. Without it one of the right size is taken for right.
	VerifyExisting bool
	// Policy says what becomes of a name that other content has.
	Policy layout.Policy
}

// What comes along with images unless more is allowed: anybody who may write to a
// repository can put referrers there.
const (
	DefaultMaxReferrers     = 10_000
	DefaultMaxReferrerBytes = 10_000_000_000
)

// A Want is one image to be pulled.
type Want struct {
	// From is where it is: under the tag latest if there is neither tag nor digest.
	From Reference
	// Name is what it is called in the layout; "" is PullOptions.Name.
	Name string
	// Found is what From means, where the caller knows it: then From is not looked at,
	// and the registry not asked again.
	Found *Found

	tags []string // of the repository, if they were listed
}

// A Pulled says what became of one Want. Its JSON is stable.
type Pulled struct {
	From    string         `json:"from"`              // with the host
	Name    string         `json:"name"`              // in the layout; "" if it has none
	Digest  content.Digest `json:"digest"`            // of the image
	Bytes   int64          `json:"bytes"`             // that were fetched for it, and not for one before it
	Old     content.Digest `json:"old,omitempty"`     // what had the name before
	Skipped bool           `json:"skipped,omitempty"` // and has it still
}

// A Brought is a referrer that came along with an image. Its JSON is stable.
type Brought struct {
	Digest       content.Digest `json:"digest"`
	ArtifactType string         `json:"artifactType,omitempty"`
	Subject      content.Digest `json:"subject"`
	Size         int64          `json:"size"`          // with all below it
	Tag          string         `json:"tag,omitempty"` // of what cosign made
}

// A PullReport says what a pull did.
type PullReport struct {
	Digest content.Digest `json:"digest,omitempty"` // of the image, if it is one
	Images []Pulled       `json:"images"`           // in the order in which they were wanted
	// Brought is what refers to them, and came along or was there.
	Brought []Brought `json:"brought,omitempty"`
	layout.TransferReport
}

// Pull brings what from means, or its tag latest if it has neither tag nor digest, into
// dst, with all that refers to it: referrers at any depth, and what cosign made. It is
// PullAll of one image.
func Pull(ctx context.Context, s *Session, from Reference, dst *layout.Layout, o PullOptions) (PullReport, error) {
	return PullAll(ctx, s, []Want{{From: from}}, dst, o)
}

// PullAll brings images, of any repositories and hosts, into dst, with all that refers
// to them: referrers at any depth, and what cosign made. What several of them have is
// fetched once, and not at all if dst has it. Names change in one transaction once the
// content is proven and durable; if PullAll fails they are as before. Two images of
// other content under one name are ErrAmbiguous, and so is one image in two repositories
// that cosign signed otherwise in each.
//
// Requests, besides those for tokens: one for each image that is not Found, one for each
// blob and each child of an index that dst does not have; if it has all, no other. With
// referrers, one for each thousand tags of a repository, and one for each manifest in it;
// where the registry lacks the referrers API two to learn that, and one for each list of
// referrers that is among the tags. Few of them are under way at once, however many images
// there are, and as few files open.
func PullAll(ctx context.Context, s *Session, wants []Want, dst *layout.Layout, o PullOptions) (PullReport, error) {
	return newPuller(dst, o).run(ctx, s, wants)
}

// AllTags wants every tag of ref's repository but those under which referrers are kept,
// which belong to what they refer to. It costs a request for each thousand tags. A
// reference with a tag or digest is ErrInvalid.
func AllTags(ctx context.Context, s *Session, ref Reference) ([]Want, error) {
	if ref.Tag != "" || ref.Digest != "" {
		return nil, content.Errorf(content.ErrInvalid, "%s is one image, and a repository is wanted: %s", ref, ref.Name())
	}
	repo, err := s.OpenToRead(ctx, ref)
	if err != nil {
		return nil, err
	}
	tags, err := repo.Tags(ctx)
	if err != nil {
		return nil, err
	}
	wants := []Want{}
	for _, tag := range tags {
		if layout.IsReferrerTag(tag) {
			continue
		}
		from, err := ref.WithTag(tag)
		if err != nil {
			return nil, err
		}
		wants = append(wants, Want{From: from, tags: tags})
	}
	return wants, nil
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
	repo, err := s.OpenToRead(ctx, from)
	if err != nil {
		return nil, err
	}
	return repo.find(ctx, from)
}

func (r *Repository) find(ctx context.Context, from Reference) (*Found, error) {
	d, data, err := r.Manifest(ctx, from.point())
	if err != nil {
		return nil, err
	}
	return &Found{d, data, from, r}, nil
}

// Pull brings what was found into dst: see Pull.
func (f *Found) Pull(ctx context.Context, dst *layout.Layout, o PullOptions) (PullReport, error) {
	return PullAll(ctx, nil, []Want{{Found: f}}, dst, o)
}
