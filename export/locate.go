package export

import (
	"context"
	"errors"
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// A blob is content that goes into the archive.
type blob struct {
	id    digestID
	graph *graph
	size  int64
	src   Source
	data  []byte // its proven bytes, if they were read already and kept
}

func (b blob) digest() content.Digest { return b.graph.digest(b.id) }

func (g *graph) disagree(id digestID, size int64) error {
	return content.AtDigest(g.digest(id), content.Errorf(content.ErrSize, "one descriptor says %d bytes, another %d", size, g.item(id).size))
}

// add lists a blob. data are its proven bytes, if they are known.
func (g *graph) add(src sourceID, id digestID, size int64, data []byte, foreign bool) error {
	it := g.item(id)
	if it.flags&isBlob != 0 {
		if it.size != size {
			return g.disagree(id, size)
		}
		if it.data == 0 {
			it.data = g.kept.add(data)
		}
		if !foreign {
			it.flags &^= isForeign
		}
		if it.src != src && !slices.Contains(g.besides[id], src) {
			it.flags |= hasOthers
			g.besides[id] = append(g.besides[id], src)
		}
		return nil
	}
	if size < 0 {
		return content.AtDigest(g.digest(id), content.Errorf(content.ErrSize, "descriptor says %d bytes", size))
	}
	it.flags |= isBlob
	if foreign {
		it.flags |= isForeign
	}
	it.size, it.src, it.data = size, src, g.kept.add(data)
	g.blobs++
	return nil
}

// allBlobs lists the blobs in the order of their digests.
func (g *graph) allBlobs() []digestID {
	all := make([]digestID, 0, g.blobs)
	for i := range g.items.len() {
		if g.is(digestID(i), isBlob) {
			all = append(all, digestID(i))
		}
	}
	return g.inDigestOrder(all)
}

// inDigestOrder sorts blobs and drops those that are there twice.
func (g *graph) inDigestOrder(list []digestID) []digestID {
	slices.SortFunc(list, g.compare)
	return slices.Compact(list)
}

// locate settles where blobs come from and returns those that are there, in the
// same order. One that must be there and is not is ErrMissing, one of another size
// ErrSize. Unless all is set, those that must be there and have one source are
// taken to be.
func (g *graph) locate(ctx context.Context, list []digestID, all bool) ([]digestID, error) {
	var doubtful []digestID
	for _, id := range list {
		if it := g.items.at(int(id)); it.data == 0 && (all || it.flags&(isForeign|hasOthers) != 0) {
			doubtful = append(doubtful, id)
		}
	}
	err := parallel(ctx, len(doubtful), func(ctx context.Context, i int) error { return g.settle(ctx, doubtful[i]) })
	if err != nil {
		return nil, err
	}
	gone := map[digestID]wordID{}
	for _, id := range doubtful {
		if !g.is(id, isBlob) {
			gone[id] = 0
		}
	}
	if len(gone) == 0 {
		return list, nil
	}
	g.noteAbsent(gone)
	return slices.DeleteFunc(list, func(id digestID) bool { return !g.is(id, isBlob) }), nil
}

// noteAbsent lists foreign layers that are not there, with their media types.
func (g *graph) noteAbsent(gone map[digestID]wordID) {
	for i := range g.layers.len() {
		l := g.layers.at(i)
		if was, ok := gone[l.id]; ok && was == 0 {
			gone[l.id] = l.mediaType
		}
	}
	for id, mediaType := range gone {
		g.absent = append(g.absent, mention{id: id, mediaType: mediaType, size: g.items.at(int(id)).size})
	}
	g.blobs -= len(gone)
}

// settle settles on a source that has a blob. If none has and none need, it is a
// blob no longer.
func (g *graph) settle(ctx context.Context, id digestID) error {
	it := g.items.at(int(id))
	dgst := g.digest(id)
	for _, src := range append([]sourceID{it.src}, g.besides[id]...) {
		size, err := g.sources[src].Size(ctx, dgst)
		if errors.Is(err, content.ErrNotFound) {
			continue
		}
		if err == nil && size != it.size {
			err = content.AtDigest(dgst, sizeError(size, it.size))
		}
		it.src = src
		return err
	}
	if it.flags&isForeign == 0 {
		return missing(dgst, "blob")
	}
	it.flags &^= isBlob
	return nil
}

// missingLayer says that what was not found is content that must be there.
func missingLayer(err error) error {
	if errors.Is(err, content.ErrNotFound) {
		return content.Errorf(content.ErrMissing, "%w", err)
	}
	return err
}
