// Package imagefs shows the files of an image as they are once its layers lie on
// each other (image-spec layer.md, "Applying Changesets"): whiteouts and opaque
// directories applied, hard links joined across layers, and nothing unpacked.
//
// [Build] reads the headers of all layers once and keeps a [Tree] of them, some
// 300 bytes a file. [Tree.Files] lists it, [Tree.Lookup] finds a path in it,
// [Tree.Bodies] reads the contents of all files in a second pass, and [Tree.FS]
// is an io/fs.FS of it. [Find] looks for one file and reads layers from the
// highest down, no more of them than the answer takes. [Scan] lists a single
// layer as it is. [Squash] makes one layer of several. What is read is proven on
// each pass, as [OpenLayer] says.
package imagefs

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
)

// A Layer is one layer of an image and what it decompresses to. Without a DiffID
// the layer is proven by its own digest alone, which costs a fifth less: nobody
// can have changed it then, but whether the config agrees is not looked at.
type Layer struct {
	content.Descriptor
	DiffID content.Digest
}

// Layers pairs an image's layers with the diffIDs of its config. Lists of
// different lengths, and a diffID that is no digest, are ErrCorrupt.
func Layers(layers []content.Descriptor, diffIDs []content.Digest) ([]Layer, error) {
	if len(layers) != len(diffIDs) {
		return nil, content.Errorf(content.ErrCorrupt, "the manifest has %d layers, the config %d diffIDs",
			len(layers), len(diffIDs))
	}
	paired := make([]Layer, len(layers))
	for i, l := range layers {
		if err := content.CheckDigest(diffIDs[i]); err != nil {
			return nil, content.Errorf(content.ErrCorrupt, "diffID %d: %w", i, err)
		}
		paired[i] = Layer{Descriptor: l, DiffID: diffIDs[i]}
	}
	return paired, nil
}

// A Tree is the merged filesystem of an image: what [Build] made of its layers.
// It does not change, and many goroutines may use it.
type Tree struct {
	root   *node
	layers []Layer
	limits content.Limits
	bodies int
	wanted [][]want // for each layer, the members whose bytes are files, in order
}

// A want says that a member of a layer holds the bytes of a file.
type want struct{ member, body int32 }

// Build reads the headers of the layers, the lowest first, from f, several
// layers at once, and merges them. A layer that is not a valid tar, or not what
// its digest and diffID say, is ErrCorrupt; a name that leads out of the root, and
// what exceeds the limits, is ErrRefused; a layer of unknown form is ErrUnsupported.
func Build(ctx context.Context, f content.Fetcher, layers []Layer, limits content.Limits) (*Tree, error) {
	limits = limits.WithDefaults()
	room := newRoom(limits)
	members, err := scanAll(ctx, f, layers, limits, room)
	if err != nil {
		return nil, err
	}
	t, err := merge(newMerger(room), layers, members, limits)
	if err != nil {
		return nil, err
	}
	return t, t.finish()
}

// scanAll reads the headers of the layers, several at once.
func scanAll(ctx context.Context, f content.Fetcher, layers []Layer, limits content.Limits, room *room) ([][]member, error) {
	members := make([][]member, len(layers))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, i := range largestFirst(layers) {
		g.Go(func() (err error) {
			members[i], _, err = scan(ctx, f, layers[i], limits, room, nil)
			return content.AtDigest(layers[i].Digest, err)
		})
	}
	return members, g.Wait()
}

// merge lays the layers on each other. The tree is not finished.
func merge(m *merger, layers []Layer, members [][]member, limits content.Limits) (*Tree, error) {
	for i, l := range layers {
		if err := m.layer(int32(i), members[i]); err != nil {
			return nil, content.AtDigest(l.Digest, err)
		}
	}
	return &Tree{root: m.root, layers: layers, limits: limits, wanted: make([][]want, len(layers))}, nil
}

// largestFirst is the order in which work on layers ends soonest.
func largestFirst(layers []Layer) []int {
	order := make([]int, len(layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(layers[b].Size, layers[a].Size) })
	return order
}
