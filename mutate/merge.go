package mutate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// MergeOptions say how the images of several builds become one index. The zero value
// takes every image, and makes referrers of what BuildKit attests of them.
type MergeOptions struct {
	IndexOptions
	// Require are platforms that the index must have: ErrRefused if it lacks one.
	Require []content.Platform
	// KeepAttestations makes no referrers of BuildKit's attestations: they stay in the
	// index alone. With DropAttestations they are not even there.
	KeepAttestations bool
}

// SetAttestations reads keep, referrers or drop, as import has them. Another word is
// ErrInvalid.
func (o *MergeOptions) SetAttestations(word string) error {
	switch word {
	case "referrers", "keep", "drop":
		o.KeepAttestations, o.DropAttestations = word == "keep", word == "drop"
		return nil
	}
	return content.Errorf(content.ErrInvalid, "%q is nothing to do with attestations: want keep, referrers or drop", word)
}

// A MergeReport says what was made, and of what.
type MergeReport struct {
	IndexReport
	Lifted    int             `json:"lifted"`              // attestations that became referrers
	NotLifted []artifact.Kept `json:"notLifted,omitempty"` // those that could not, and why
}

// MergeIndex makes one index of the images that builds for several platforms left in
// layouts of their own, and names it. Of a source without name or digest all images are
// taken, but not artifacts, and not what refers to an image as its own. The children are
// in order of their platforms, so that the order of the sources makes no difference.
// What CreateIndex refuses is refused here too, and so is an index that lacks a platform
// of Require, before anything is written.
//
// Attestations become referrers once the index has its name; if that fails, the index
// is there without them, and doing it again completes it.
func MergeIndex(ctx context.Context, dst *layout.Layout, name string, sources []layout.Source, o MergeOptions) (report MergeReport, err error) {
	if err := layout.CheckName(name); err != nil {
		return report, err
	}
	x := newIndexMaker(dst, o.IndexOptions)
	err = x.merge(ctx, name, sources, o)
	report.IndexReport = x.report
	if err = errors.Join(err, x.batch.Close()); err != nil || report.Skipped || o.KeepAttestations || report.Attestations == 0 {
		return report, err
	}
	lifted, err := artifact.Lift(ctx, dst, x.made, artifact.LiftOptions{Origin: layout.OriginBuildKit})
	report.Lifted, report.NotLifted = len(lifted.Lifted), lifted.Skipped
	return report, err
}

// merge makes the index.
func (x *indexMaker) merge(ctx context.Context, name string, sources []layout.Source, o MergeOptions) error {
	for _, src := range sources {
		if err := x.takeSource(ctx, src); err != nil {
			return content.At(src.Path(), err)
		}
	}
	slices.SortStableFunc(x.members, func(a, b indexMember) int {
		return cmp.Or(strings.Compare(a.platform, b.platform), strings.Compare(a.Digest.String(), b.Digest.String()))
	})
	if have, missing := lackedPlatform(x.members, o.Require); missing != "" {
		return content.Errorf(content.ErrRefused, "no image for %s, only for: %s", missing, have)
	}
	return x.make(ctx, x.fresh, indexTarget{name: name, policy: o.Policy})
}

// takeSource takes the images that a source means: one, or all of a layout.
func (x *indexMaker) takeSource(ctx context.Context, src layout.Source) error {
	if src.Ref.Name != "" || src.Ref.Digest != "" {
		e, err := src.Lookup(ctx, src.Ref)
		if err != nil {
			return err
		}
		return x.take(ctx, src.Reader, e.Descriptor)
	}
	var entries []layout.Entry
	err := src.View(ctx, func(index *layout.Index) error {
		for e, err := range index.Entries() {
			if err != nil {
				return err
			}
			if e.IsImage() {
				entries = append(entries, e)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	taken := len(x.members)
	seen := map[content.Digest]bool{}
	for _, e := range entries {
		if seen[e.Digest] {
			continue
		}
		seen[e.Digest] = true
		m, _, err := content.FetchManifest(ctx, src, e.Descriptor, src.Limits())
		if err != nil {
			return err
		}
		if m.Subject != nil || !content.IsIndex(e.MediaType) && !m.IsImage() {
			continue
		}
		if err := x.take(ctx, src.Reader, e.Descriptor); err != nil {
			return err
		}
	}
	if len(x.members) == taken {
		return content.Errorf(content.ErrNotFound, "holds no image")
	}
	return nil
}

// lackedPlatform finds the first of some platforms for which there is no image, "" for
// none, and lists those that there are.
func lackedPlatform(members []indexMember, wanted []content.Platform) (have, missing string) {
	var texts []string
	var platforms []content.Platform
	for _, m := range members {
		for _, image := range append(slices.Clone(m.images), m) {
			if image.platform != "" && image.Platform != nil {
				texts = append(texts, image.platform)
				platforms = append(platforms, *image.Platform)
			}
		}
	}
	for _, want := range wanted {
		if !slices.ContainsFunc(platforms, func(p content.Platform) bool { return content.MatchPlatform(want, p) }) {
			return strings.Join(texts, ", "), content.FormatPlatform(want)
		}
	}
	return "", ""
}
