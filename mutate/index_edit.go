package mutate

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// An oldIndex is an index that another is made from.
type oldIndex struct {
	desc     content.Descriptor
	raw      *rawjson.Object
	children []json.RawMessage // as they stand there
}

// openIndex reads the index that ref means, takes what is in it as members, and finds
// out where the new one goes.
func (x *indexMaker) openIndex(ctx context.Context, ref layout.Reference, target IndexTarget) (*oldIndex, indexTarget, error) {
	to := indexTarget{name: target.Tag, keep: target.Replace, policy: target.Policy}
	if (target.Tag == "") != target.Replace {
		return nil, to, content.Errorf(content.ErrInvalid, "say how the new index is called: by another name, or by the old one's")
	}
	e, err := x.dst.Lookup(ctx, ref)
	if err != nil {
		return nil, to, content.At(x.dst.Path(), err)
	}
	to.entry = e
	switch {
	case !content.IsIndex(e.MediaType):
		return nil, to, content.AtDigest(e.Digest, content.Errorf(content.ErrInvalid, "is no index"))
	case target.Replace && e.Name() == "":
		return nil, to, content.AtDigest(e.Digest, content.Errorf(content.ErrInvalid, "has no name that could be the new index's"))
	case target.Replace:
		to.name = e.Name()
	default:
		if err := layout.CheckName(target.Tag); err != nil {
			return nil, to, err
		}
	}
	old, err := x.readOld(ctx, e.Descriptor)
	return old, to, err
}

func (x *indexMaker) readOld(ctx context.Context, d content.Descriptor) (*oldIndex, error) {
	m, data, err := content.FetchManifest(ctx, x.dst, d, x.dst.Limits())
	if err != nil {
		return nil, err
	}
	old := &oldIndex{desc: d}
	if old.raw, err = rawjson.Parse(data); err != nil {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	if old.children, err = rawChildren(d.Digest, data, len(m.Manifests)); err != nil {
		return nil, err
	}
	lister := childLister{r: x.dst.Reader, old: true}
	x.members, err = lister.list(ctx, d, 0)
	return old, err
}

// with is the index with other children: those that were there as they were, in their
// order, and new ones behind them.
func (old *oldIndex) with(members []indexMember) ([]byte, string, error) {
	kept := map[int]bool{}
	var fresh []json.RawMessage
	for _, m := range members {
		for _, part := range append([]indexMember{m}, m.attestations...) {
			if part.from == nil {
				kept[part.place] = true
				continue
			}
			if old.desc.MediaType == content.DockerManifestList && part.MediaType != content.DockerManifest && part.MediaType != content.DockerManifestList {
				return nil, "", content.AtDigest(part.Digest, content.Errorf(content.ErrUnsupported, "a docker manifest list has no place for %s", part.MediaType))
			}
			fresh = append(fresh, part.raw)
		}
	}
	var list []json.RawMessage
	for place, raw := range old.children {
		if kept[place] {
			list = append(list, raw)
		}
	}
	old.raw.Set("manifests", rawjson.Array(append(list, fresh...)))
	return old.raw.Bytes(), old.desc.MediaType, nil
}

// from takes what goes out of the members.
func (gone IndexRemoval) from(members []indexMember) ([]indexMember, error) {
	if len(gone.Platforms)+len(gone.Digests) == 0 {
		return nil, content.Errorf(content.ErrInvalid, "say which images go: by platform or by digest")
	}
	left := slices.Clone(members)
	for _, p := range gone.Platforms {
		n := len(left)
		left = slices.DeleteFunc(left, func(m indexMember) bool {
			return m.platform != "" && m.Platform != nil && content.MatchPlatform(p, *m.Platform)
		})
		if len(left) == n {
			return nil, content.Errorf(content.ErrNotFound, "no image for %s in the index", content.FormatPlatform(p))
		}
	}
	for _, d := range gone.Digests {
		found := false
		is := func(m indexMember) bool { found = found || m.Digest == d; return m.Digest == d }
		left = slices.DeleteFunc(left, is)
		for i := range left {
			left[i].attestations = slices.DeleteFunc(slices.Clone(left[i].attestations), is)
		}
		if !found {
			return nil, content.AtDigest(d, content.Errorf(content.ErrNotFound, "is not in the index"))
		}
	}
	return left, nil
}
