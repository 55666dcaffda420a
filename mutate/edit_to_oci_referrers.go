package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// ToReferrers makes OCI referrers of what is attached to an image in ways from before
// there were any: BuildKit's attestations, which leave the index, and cosign's tags,
// which stay. The referrers have as their subject what the originals speak of, the
// image as it was found: one that other edits change has a new digest, and they stay
// behind with the old one as all its referrers do. What is damaged, or speaks of
// another image, stays in its old form and is warned of.
//
// Indexes with attestations change alone: the images in them, their configs, history,
// diffIDs, created, annotations and layers stay.
type ToReferrers struct {
	// Layout is where the image is, and the tags of cosign.
	Layout *layout.Reader
}

// Image makes referrers of what is attached to an image that is in no index.
func (e ToReferrers) Image(ctx context.Context, im *Image) error {
	if im.Index() != nil {
		return nil
	}
	_, err := e.lift(ctx, im.Job, im.Descriptor)
	return err
}

// Index makes referrers of what is attached to an index or to anything in it.
func (e ToReferrers) Index(ctx context.Context, ix *Index) error {
	if ix.Parent() != nil {
		return nil
	}
	lifted, err := e.lift(ctx, ix.Job, ix.Descriptor)
	if err == nil {
		ix.dropAttestations(lifted)
	}
	return err
}

// dropAttestations takes out the children that have become referrers.
func (ix *Index) dropAttestations(lifted map[content.Digest]bool) {
	var kept []*Child
	for _, c := range ix.Children {
		if c.Index != nil {
			c.Index.dropAttestations(lifted)
		}
		if c.manifest() != nil || !lifted[c.Descriptor.Digest] {
			kept = append(kept, c)
		}
	}
	ix.Children = kept
}

// lift stages the referrers, and tells of which manifests everything was lifted.
func (e ToReferrers) lift(ctx context.Context, job *Job, root content.Descriptor) (map[content.Digest]bool, error) {
	report, err := artifact.StageLift(ctx, e.Layout, job.Batch, root, "")
	if err != nil {
		return nil, err
	}
	if len(report.Lifted)+len(report.Skipped) == 0 {
		job.Warn("%s has no attestations of BuildKit and no tags of cosign to make referrers of", root.Digest)
	}
	whole := map[content.Digest]bool{}
	for _, made := range report.Lifted {
		job.Report.Referrers = append(job.Report.Referrers, Referrer{Subject: made.Of, Artifact: made.Descriptor})
		whole[made.From] = true
	}
	for _, kept := range report.Skipped {
		job.Warn("%s stays as it is: %s", kept.From, kept.Reason)
		delete(whole, kept.From)
	}
	return whole, nil
}

var toOCIReferrersFlag = Flag{
	Name:  "to-oci-referrers",
	Usage: "make referrers of BuildKit's attestations, which leave the index, and of cosign's tags",
	Bare:  true,
	Parse: func(_ string, env FlagEnv) (Edit, error) {
		if env.Layout == nil {
			return Edit{}, content.Errorf(content.ErrUnsupported, "nothing says in which layout the tags are")
		}
		return Edit{On: Selector{All: true}, Change: ToReferrers{env.Layout}}, nil
	},
}
