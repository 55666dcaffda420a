package layout

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
)

// Shares says how much of what moved, sizes by digest, was for each of the roots: for the
// first that leads to it. What f does not have leads nowhere. It changes moved: what was
// for none of them is left.
func Shares(ctx context.Context, f content.Fetcher, roots []content.Descriptor, moved map[content.Digest]int64, limits content.Limits) ([]int64, error) {
	shares := make([]int64, len(roots))
	s := sharer{f, moved, map[content.Digest]bool{}, limits}
	for i, root := range roots {
		var err error
		if shares[i], err = s.of(ctx, root, 0); err != nil {
			return nil, err
		}
	}
	return shares, nil
}

type sharer struct {
	f      content.Fetcher
	moved  map[content.Digest]int64
	been   map[content.Digest]bool
	limits content.Limits
}

func (s sharer) of(ctx context.Context, d content.Descriptor, depth int) (int64, error) {
	total := s.moved[d.Digest]
	delete(s.moved, d.Digest)
	if !content.HasEdges(d.MediaType) || s.been[d.Digest] || len(s.moved) == 0 {
		return total, nil
	}
	s.been[d.Digest] = true
	if depth > s.limits.Depth {
		return 0, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "manifests nest deeper than %d", s.limits.Depth))
	}
	m, _, err := content.FetchManifest(ctx, s.f, d, s.limits)
	if errors.Is(err, content.ErrNotFound) {
		return total, nil
	}
	if err != nil {
		return 0, err
	}
	for _, e := range m.Edges() {
		if e.Role == content.RoleSubject {
			continue
		}
		below, err := s.of(ctx, e.To, depth+1)
		if err != nil {
			return 0, err
		}
		total += below
	}
	return total, nil
}
