package imagefs

import (
	"context"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// Bodies reads the bytes of all files that have any, in one pass over each layer
// that still holds some, several layers at once. fn is called once for each body,
// with its number and a reader of exactly its size, from several goroutines; what
// it leaves unread is skipped. The layers are proven again, so that an error means
// that bytes which fn has seen may be wrong.
func (t *Tree) Bodies(ctx context.Context, f content.Fetcher, fn func(body int, r io.Reader) error) error {
	return t.readBodies(ctx, f, t.wanted, fn)
}

// SomeBodies is Bodies for those that pick wants. Layers that hold none of them are
// not read.
func (t *Tree) SomeBodies(ctx context.Context, f content.Fetcher, pick func(body int) bool, fn func(body int, r io.Reader) error) error {
	wanted := make([][]want, len(t.wanted))
	for i, list := range t.wanted {
		for _, w := range list {
			if pick(int(w.body)) {
				wanted[i] = append(wanted[i], w)
			}
		}
	}
	return t.readBodies(ctx, f, wanted, fn)
}

func (t *Tree) readBodies(ctx context.Context, f content.Fetcher, wanted [][]want, fn func(int, io.Reader) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range t.layers {
		if len(wanted[i]) == 0 {
			continue
		}
		g.Go(func() error {
			return content.AtDigest(l.Digest, t.layerBodies(ctx, f, l, wanted[i], fn))
		})
	}
	return g.Wait()
}

func (t *Tree) layerBodies(ctx context.Context, f content.Fetcher, l Layer, wanted []want, fn func(int, io.Reader) error) error {
	rc, err := OpenLayer(ctx, f, l, t.limits)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	stream := content.Track(ctx, rc, "read", content.Short(l.Digest), -1)
	r := tarx.NewReader(stream, tarx.Limits{MaxMembers: t.limits.Members, RawNames: true})
	for member := int32(0); len(wanted) > 0; member++ {
		if _, err := r.Next(); err == io.EOF {
			return errFewer()
		} else if err != nil {
			return err
		}
		if member != wanted[0].member {
			continue
		}
		if err := fn(int(wanted[0].body), r); err != nil {
			return err
		}
		wanted = wanted[1:]
	}
	_, err = io.Copy(io.Discard, stream)
	return err
}
