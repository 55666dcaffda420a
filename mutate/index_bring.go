package mutate

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// hold keeps the members that are in the layout, with what they lead to, from a
// concurrent gc, whatever becomes of the names that lead to them now.
func (x *indexMaker) hold(ctx context.Context) error {
	for _, m := range x.members {
		for _, part := range append([]indexMember{m}, m.attestations...) {
			if part.absent || part.from != nil && !sameLayout(x.dst, part.from) {
				continue
			}
			there, err := x.batch.Exists(ctx, part.Descriptor)
			if err == nil && !there {
				err = content.AtDigest(part.Digest, content.Errorf(content.ErrMissing, "was removed meanwhile"))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// bringAll stages what lies in other layouts, one layout after the other.
func (x *indexMaker) bringAll(ctx context.Context) error {
	roots := map[*layout.Reader][]content.Descriptor{}
	var order []*layout.Reader
	for _, m := range x.members {
		for _, part := range append([]indexMember{m}, m.attestations...) {
			switch {
			case part.from == nil:
				continue
			case part.absent:
				x.report.Absent = append(x.report.Absent, part.Descriptor)
				continue
			}
			if roots[part.from] == nil {
				order = append(order, part.from)
			}
			roots[part.from] = append(roots[part.from], part.Descriptor)
		}
	}
	for _, r := range order {
		if sameLayout(x.dst, r) {
			continue
		}
		if err := x.bring(ctx, r, roots[r]); err != nil {
			return content.At(r.Path(), err)
		}
	}
	return nil
}

// bring stages images of one layout with what refers to them.
func (x *indexMaker) bring(ctx context.Context, r *layout.Reader, roots []content.Descriptor) error {
	if err := x.copy(ctx, r, roots); err != nil || x.o.NoReferrers {
		return err
	}
	subjects, err := manifestsUnder(ctx, r, roots)
	if err != nil {
		return err
	}
	var found []content.Descriptor
	for _, subject := range subjects {
		list, err := r.FindReferrers(ctx, layout.ReferrerQuery{Subject: subject, Recursive: true})
		if err != nil {
			return err
		}
		for _, referrer := range list {
			if !referrer.Origin.Bound() {
				continue
			}
			x.referrers[referrer.Subject] = append(x.referrers[referrer.Subject], referrer.Descriptor)
			found = append(found, referrer.Descriptor)
		}
	}
	tags, err := x.cosignTags(ctx, r, append(subjects, found...))
	if err != nil {
		return err
	}
	x.report.Referrers += len(found) + len(tags)
	return x.copy(ctx, r, append(found, tags...))
}

func (x *indexMaker) copy(ctx context.Context, r *layout.Reader, roots []content.Descriptor) error {
	if x.seen[r] == nil {
		x.seen[r] = map[content.Digest]bool{}
	}
	report, err := layout.CopyGraph(ctx, x.batch, r, roots, layout.CopyOptions{Seen: x.seen[r]})
	x.report.Add(report)
	return err
}

// manifestsUnder lists the manifests that roots lead to, themselves among them.
func manifestsUnder(ctx context.Context, r *layout.Reader, roots []content.Descriptor) ([]content.Descriptor, error) {
	var manifests []content.Descriptor
	follow := func(_ content.Node, e content.Edge) bool { return e.Role == content.RoleManifest }
	err := content.Walk(ctx, r, roots, content.WalkOptions{Limits: r.Limits(), Follow: follow}, func(n content.Node) error {
		manifests = append(manifests, n.Descriptor)
		return nil
	})
	return manifests, err
}

// cosignTags notes the entries that cosign made for the subjects.
func (x *indexMaker) cosignTags(ctx context.Context, r *layout.Reader, subjects []content.Descriptor) ([]content.Descriptor, error) {
	wanted := map[content.Digest]bool{}
	for _, s := range subjects {
		wanted[s.Digest] = true
	}
	var found []content.Descriptor
	err := r.View(ctx, func(index *layout.Index) error {
		for e, err := range index.EntriesIf(layout.Summary.IsCosignTag) {
			if err != nil {
				return err
			}
			if wanted[e.CosignSubject()] {
				x.cosign = append(x.cosign, e)
				found = append(found, e.Descriptor)
			}
		}
		return nil
	})
	return found, err
}
