package imagefs

import (
	"context"
	"io"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// openBody returns the bytes of one member of a layer. Its last Read has read the
// layer to the end, and returns io.EOF only if the layer is proven by it.
func openBody(ctx context.Context, f content.Fetcher, l Layer, member int32, limits content.Limits) (io.ReadCloser, error) {
	rc, err := OpenLayer(ctx, f, l, limits)
	if err != nil {
		return nil, err
	}
	b := &body{layer: l, stream: content.Track(ctx, rc, "read", content.Short(l.Digest), -1), closer: rc}
	b.r = tarx.NewReader(b.stream, tarx.Limits{MaxMembers: limits.Members, RawNames: true})
	if err := b.seek(member); err != nil {
		_ = rc.Close() // the first error tells more
		return nil, content.AtDigest(l.Digest, err)
	}
	return b, nil
}

type body struct {
	layer  Layer
	stream io.Reader
	closer io.Closer
	r      *tarx.Reader
	err    error
}

func (b *body) seek(member int32) error {
	for ; member >= 0; member-- {
		if _, err := b.r.Next(); err == io.EOF {
			return errFewer()
		} else if err != nil {
			return err
		}
	}
	return nil
}

func errFewer() error {
	return content.Errorf(content.ErrCorrupt, "layer has fewer members than when it was read first")
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if err == io.EOF {
		if _, bad := io.Copy(io.Discard, b.stream); bad != nil {
			err = bad
		}
	}
	if err != nil && err != io.EOF {
		err = content.AtDigest(b.layer.Digest, err)
	}
	b.err = err
	return n, err
}

func (b *body) Close() error { return b.closer.Close() }
