package artifact

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// LiftOptions say what Lift does besides.
type LiftOptions struct {
	// DropTags takes away cosign's tags of which everything was lifted. BuildKit's
	// attestations always stay: without them the index would have another digest.
	DropTags bool
	// Origin is the only one of which anything is lifted; "" is both.
	Origin layout.Origin
}

// A LiftReport says what Lift made, and of what.
type LiftReport struct {
	Lifted  []Lifted `json:"lifted"`
	Skipped []Kept   `json:"skipped,omitempty"`
	Dropped []string `json:"dropped,omitempty"` // tags that were taken away
}

// Lifted is a referrer made of a legacy form.
type Lifted struct {
	Attached
	Of     content.Descriptor `json:"-"`              // the subject
	Origin layout.Origin      `json:"origin"`         // "cosign" or "buildkit"
	From   content.Digest     `json:"from"`           // the manifest that it was made of
	Name   string             `json:"name,omitempty"` // the tag of that, if it has one
}

// Kept is something that stays in its legacy form alone, and why.
type Kept struct {
	From   content.Digest `json:"from"`
	Name   string         `json:"name,omitempty"`
	Reason string         `json:"reason"`
}

// Lift makes OCI referrers of what is attached to root, or to an image inside of
// it, in ways from before there were any: cosign's tags, and the attestations that
// BuildKit puts into an index. All are listed when it returns, or none if it fails;
// the originals stay. The same originals make the same referrers, so that doing it
// twice changes nothing.
//
// Each attestation and SBOM becomes an artifact of its own with the type of its
// layer, and each tag of signatures one artifact with all of them, as cosign writes
// them in its OCI 1.1 mode. Layers keep their bytes and annotations. What speaks of
// another image, is damaged or absent is left as it is and reported.
func Lift(ctx context.Context, l *layout.Layout, root content.Descriptor, o LiftOptions) (report LiftReport, err error) {
	b := l.Batch()
	defer func() { err = errors.Join(err, b.Close()) }()
	lift, err := stageLift(ctx, l.Reader, b, root, o.Origin)
	if err != nil || len(lift.report.Lifted) == 0 {
		return lift.report, err
	}
	if err := lift.b.Publish(ctx); err != nil {
		return lift.report, err
	}
	err = l.Update(ctx, func(tx *layout.Tx) error { return lift.commit(ctx, tx, o) })
	return lift.report, content.At(l.Path(), err)
}

// StageLift is the first half of Lift: it stages in b, a batch of r's layout, what
// Lift makes. Nothing is listed, so that the caller can do it, with [layout.Tx], in
// one transaction with other things. An origin other than "" is the only one of which
// anything is lifted.
func StageLift(ctx context.Context, r *layout.Reader, b *layout.Batch, root content.Descriptor, origin layout.Origin) (LiftReport, error) {
	lift, err := stageLift(ctx, r, b, root, origin)
	return lift.report, err
}

func stageLift(ctx context.Context, r *layout.Reader, b *layout.Batch, root content.Descriptor, origin layout.Origin) (lifter, error) {
	lift := lifter{l: r, b: b, artifacts: map[content.Digest][]content.Descriptor{}}
	lift.report.Lifted = []Lifted{}
	found, err := findLegacy(ctx, r, root)
	if err != nil {
		return lift, err
	}
	for _, form := range found {
		if origin != "" && form.origin != origin {
			continue
		}
		if err := lift.form(ctx, form); err != nil {
			return lift, err
		}
	}
	return lift, nil
}

// lifter gathers what one Lift makes.
type lifter struct {
	l         *layout.Reader
	b         *layout.Batch
	subjects  []content.Descriptor // in the order in which they were found
	artifacts map[content.Digest][]content.Descriptor
	whole     []string // tags of which nothing was skipped
	report    LiftReport
}

// form stages what is made of one legacy form.
func (t *lifter) form(ctx context.Context, f legacyForm) error {
	plans, reasons, err := f.plan(ctx, t.b, t.l.Limits())
	if err != nil {
		return err
	}
	for _, p := range plans {
		desc, there, err := t.stage(ctx, p)
		if err != nil {
			reason, err := skipped(err)
			if err != nil {
				return err
			}
			reasons = append(reasons, reason)
			continue
		}
		t.report.Lifted = append(t.report.Lifted, Lifted{
			Attached: Attached{desc, f.subject.Digest, !there}, Of: f.subject,
			Origin: f.origin, From: f.desc.Digest, Name: f.name,
		})
		if t.artifacts[f.subject.Digest] == nil {
			t.subjects = append(t.subjects, f.subject)
		}
		t.artifacts[f.subject.Digest] = append(t.artifacts[f.subject.Digest], desc)
	}
	for _, reason := range reasons {
		t.report.Skipped = append(t.report.Skipped, Kept{f.desc.Digest, f.name, reason})
	}
	if len(reasons) == 0 && f.name != "" {
		t.whole = append(t.whole, f.name)
	}
	return nil
}

// stage stages the manifest of one referrer, and holds its layers.
func (t *lifter) stage(ctx context.Context, p liftPlan) (desc content.Descriptor, there bool, err error) {
	for _, blob := range p.blobs {
		rc, err := t.l.Fetch(ctx, blob)
		if err != nil {
			return desc, false, err
		}
		if err := errors.Join(t.b.Push(ctx, blob, rc), rc.Close()); err != nil {
			return desc, false, err
		}
	}
	if p.emptyConfig {
		if _, err := pushEmpty(ctx, t.b); err != nil {
			return desc, false, err
		}
	}
	if desc, err = t.b.PushBytes(ctx, p.mediaType, p.manifest); err != nil {
		return desc, false, err
	}
	there, err = t.l.Exists(ctx, desc)
	desc.ArtifactType, desc.Annotations = p.artifactType, p.annotations
	return desc, there, err
}

func (t *lifter) commit(ctx context.Context, tx *layout.Tx, o LiftOptions) error {
	for _, subject := range t.subjects {
		if err := tx.AddReferrer(ctx, t.b, subject, t.artifacts[subject.Digest]...); err != nil {
			return err
		}
	}
	t.report.Dropped = nil
	if !o.DropTags {
		return nil
	}
	for _, name := range t.whole {
		if _, err := tx.Untag(name); err != nil && !errors.Is(err, content.ErrNotFound) {
			return err
		}
		t.report.Dropped = append(t.report.Dropped, name)
	}
	return nil
}
