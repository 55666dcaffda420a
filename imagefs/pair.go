package imagefs

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
)

// A Stack is the layers of an image, the lowest first, and the store that has them.
type Stack struct {
	content.Fetcher
	Layers []Layer
}

// BuildPair builds the trees of two images as Build does. A layer that both have is
// read once, from the first, and the limits are for both together.
func BuildPair(ctx context.Context, a, b Stack, limits content.Limits) (*Tree, *Tree, error) {
	limits = limits.WithDefaults()
	room := newRoom(limits)
	scans := map[layerKey]*layerScan{}
	var order []*layerScan
	for _, stack := range []Stack{a, b} {
		for _, l := range stack.Layers {
			s := scans[keyOf(l)]
			if s == nil {
				s = &layerScan{from: stack.Fetcher, layer: l}
				scans[keyOf(l)] = s
				order = append(order, s)
			}
			s.uses++
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range order {
		g.Go(func() (err error) {
			s.members, _, err = scan(gctx, s.from, s.layer, limits, room, nil)
			return content.AtDigest(s.layer.Digest, err)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	first, err := mergeScans(a.Layers, scans, room, limits)
	if err != nil {
		return nil, nil, err
	}
	second, err := mergeScans(b.Layers, scans, room, limits)
	return first, second, err
}

// mergeScans lays layers that were read on each other.
func mergeScans(layers []Layer, scans map[layerKey]*layerScan, room *room, limits content.Limits) (*Tree, error) {
	m := newMerger(room)
	for i, l := range layers {
		members, err := scans[keyOf(l)].take(room)
		if err == nil {
			err = m.layer(int32(i), members)
		}
		if err != nil {
			return nil, content.AtDigest(l.Digest, err)
		}
	}
	t := &Tree{root: m.root, layers: layers, limits: limits, wanted: make([][]want, len(layers))}
	return t, t.finish()
}

// layerKey tells layers apart that must be read each on its own, since one may be what
// it claims and the other not.
type layerKey struct {
	digest, diffID content.Digest
	mediaType      string
}

func keyOf(l Layer) layerKey { return layerKey{l.Digest, l.DiffID, l.MediaType} }

// A layerScan is a layer that was read, and how many trees still need it.
type layerScan struct {
	from    content.Fetcher
	layer   Layer
	uses    int
	members []member
}

// take gives the members to a tree, which changes them: a copy if another needs them.
func (s *layerScan) take(room *room) ([]member, error) {
	if s.uses--; s.uses == 0 {
		list := s.members
		s.members = nil
		return list, nil
	}
	for i := range s.members {
		if err := room.take(s.members[i].cost()); err != nil {
			return nil, err
		}
	}
	return slices.Clone(s.members), nil
}
