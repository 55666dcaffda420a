package registry

import (
	"cmp"
	"context"
	"math"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// PushOptions say what is pushed and how. The zero value pushes all that belongs to
// an image.
type PushOptions struct {
	// Tags are further tags of the same repository.
	Tags []string
	// Platforms are the only ones pushed of an index, with their attestations. Without
	// Narrow the index is pushed as it is and lists what is not there, which many
	// registries refuse. None means all.
	Platforms []content.Platform
	// Narrow makes new indexes that list only what is taken, where that is not all: of the
	// Platforms, and what the source has. They have other digests, and what refers to the
	// old ones is left out.
	Narrow bool
	// NoReferrers leaves out what has something pushed as its subject, and what cosign
	// made for it.
	NoReferrers bool
	// Belongings say more closely what goes along.
	layout.Belongings
	// ReferrerTypes, MaxReferrers and MaxReferrerBytes are as in PullOptions. The last two
	// count what is sent; 0 is as there for a Copy, and no bound for what comes from a layout.
	ReferrerTypes    []string
	MaxReferrers     int
	MaxReferrerBytes int64
	// Policy says what becomes of a tag that has other content. With Fail nothing is sent
	// then; with Skip nothing of an image all of whose tags stay.
	Policy layout.Policy
	// MountFrom is another repository of the registry that has blobs of the image.
	MountFrom string
	// DryRun sends nothing but questions.
	DryRun bool
}

// unbounded are o for what comes from a layout.
func (o PushOptions) unbounded() PushOptions {
	o.MaxReferrers = cmp.Or(o.MaxReferrers, math.MaxInt)
	o.MaxReferrerBytes = cmp.Or(o.MaxReferrerBytes, math.MaxInt64)
	return o
}

// A PushReport says what a push did, or as a dry run would do.
type PushReport struct {
	DryRun    bool            `json:"dryRun"`
	Digest    content.Digest  `json:"digest,omitempty"` // of the one image
	Changes   []layout.Change `json:"changes"`          // of tags, with host and repository
	Manifests int             `json:"manifests"`        // sent, indexes too
	Blobs     int             `json:"blobs"`            // sent; as a dry run, also those to be mounted
	Bytes     int64           `json:"bytes"`            // of these blobs
	Mounted   int             `json:"mounted"`          // blobs that the registry had
	Referrers int             `json:"referrers"`        // sent, of the manifests
	Absent    int             `json:"absent"`           // children of indexes, and foreign layers, left out
	// Brought is what refers to the images, and was sent.
	Brought []Brought `json:"brought,omitempty"`
	// Narrowed are the indexes that are new ones there.
	Narrowed []layout.Narrowing `json:"narrowed,omitempty"`
}

// Changed says whether anything was, or would be, sent or named.
func (r PushReport) Changed() bool {
	for _, c := range r.Changes {
		if c.Old != c.New && !c.Skipped {
			return true
		}
	}
	return r.Manifests > 0
}

// Push puts what ref means in src at to, or under the tag latest if to has neither tag
// nor digest, with all that refers to it: referrers at any depth, and what cosign made.
// It may be done again any time: what is there is not sent twice. If it fails, tags
// that have not been reported may have moved or not, and nothing in the repository
// refers to what is not there.
//
// Requests, besides those for tokens: one for each tag, and if nothing changes no
// other; else for each blob one if the registry has it, and two if not; one for each
// manifest sent; if the tag was there, one for each child of an index. With referrers,
// one more for each manifest that was there and has referrers in src, and one for each
// of cosign's tags.
func Push(ctx context.Context, s *Session, src *layout.Reader, ref layout.Reference, to Reference, o PushOptions) (PushReport, error) {
	p := newPusher(&fromLayout{Reader: src}, to.OrLatest(), o.unbounded())
	e, err := src.Lookup(ctx, ref)
	if err != nil {
		return p.report, content.At(src.Path(), err)
	}
	return p.one(ctx, s, e.Descriptor)
}

// PushAll is Push of every image of src that has a name, under the tag in it, to one
// repository. Two names with the same tag and other content are ErrAmbiguous, and then
// nothing is sent; to.Tag, to.Digest and o.Tags must be empty.
func PushAll(ctx context.Context, s *Session, src *layout.Reader, to Reference, o PushOptions) (PushReport, error) {
	p := newPusher(&fromLayout{Reader: src}, to, o.unbounded())
	if to.Tag != "" || to.Digest != "" || len(o.Tags) > 0 {
		return p.report, content.Errorf(content.ErrInvalid, "%s: all tags go to a repository, and have their names already", to)
	}
	targets, err := p.tagged(ctx, src)
	if err != nil {
		return p.report, content.At(src.Path(), err)
	}
	for i := range targets {
		if targets[i].Descriptor, err = p.narrow(ctx, targets[i].Descriptor); err != nil {
			return p.report, err
		}
	}
	err = p.run(ctx, s, targets)
	return p.report, err
}

// Add adds what another push did. The digest is that of one image, or none.
func (r *PushReport) Add(more PushReport) {
	r.Digest = ""
	if len(r.Changes) == 0 {
		r.Digest = more.Digest
	}
	r.DryRun = more.DryRun
	r.Changes = append(r.Changes, more.Changes...)
	r.Brought = append(r.Brought, more.Brought...)
	r.Narrowed = append(r.Narrowed, more.Narrowed...)
	r.Manifests += more.Manifests
	r.Blobs += more.Blobs
	r.Bytes += more.Bytes
	r.Mounted += more.Mounted
	r.Referrers += more.Referrers
	r.Absent += more.Absent
}

// A target is a manifest with the points where it goes.
type target struct {
	content.Descriptor
	points []string
}

// tagged lists the images of src with the tags in their names.
func (p *pusher) tagged(ctx context.Context, src *layout.Reader) ([]target, error) {
	var targets []target
	taken := map[string]content.Digest{}
	err := src.View(ctx, func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			if e.Name() == "" || e.Kind() == layout.KindFallback || e.IsCosignTag() {
				continue
			}
			_, tag, _ := layout.NormalizeName(e.Name())
			if _, err := p.to.WithTag(tag); err != nil {
				return content.At(e.Name(), err)
			}
			if other, ok := taken[tag]; ok && other != e.Digest {
				return content.Errorf(content.ErrAmbiguous, "two images have the tag %s: %s and %s", tag, other, e.Digest)
			} else if !ok {
				targets = append(targets, target{e.Descriptor, []string{tag}})
			}
			taken[tag] = e.Digest
		}
		return nil
	})
	if err == nil && len(targets) == 0 {
		err = content.Errorf(content.ErrNotFound, "no image has a name")
	}
	return targets, err
}
