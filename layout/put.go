package layout

import (
	"context"
	"errors"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

// Put reads r to its end into a blob whose digest nobody knows before, and returns
// its descriptor with that media type. The blob is durable when Put returns, and
// unreferenced until a name leads to it. The algorithm is sha256 or sha512.
func (l *Layout) Put(ctx context.Context, mediaType string, alg digest.Algorithm, r io.Reader) (content.Descriptor, error) {
	w, err := l.own.Create(ctx, alg)
	if err != nil {
		return content.Descriptor{}, err
	}
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	if _, err := io.CopyBuffer(onlyWriter{w}, content.Track(ctx, r, "put", "blob", -1), *buf); err != nil {
		return content.Descriptor{}, errors.Join(err, w.Abort())
	}
	d, size, err := w.Commit()
	if err != nil {
		return content.Descriptor{}, err
	}
	return content.Descriptor{MediaType: mediaType, Digest: d, Size: size}, l.own.Publish(ctx)
}
