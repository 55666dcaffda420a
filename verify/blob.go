package verify

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
)

// blobAt is the address of a blob in a layout.
func blobAt(d content.Digest) at {
	return at{"blobs/" + strings.Replace(d.String(), ":", "/", 1), d}
}

// count enters a blob that was read to its end.
func (c *checker) count(size int64) {
	c.checked.Blobs++
	c.checked.Bytes += size
}

// readBlob returns the proven bytes of a blob of at most most bytes, and its size
// as it lies there. What is wrong with it is reported, and the bytes are nil. The
// error is of ctx.
func (c *checker) readBlob(ctx context.Context, d content.Digest, most int64) ([]byte, int64, error) {
	size, err := c.size(ctx, d)
	if err != nil || size < 0 {
		return nil, size, err
	}
	if size > most {
		c.errorf(TooLarge, blobAt(d), "%d bytes are over the limit of %d", size, most)
		return nil, size, nil
	}
	data, err := content.FetchAll(ctx, c.r, content.Descriptor{Digest: d, Size: size}, most)
	if err != nil {
		return nil, size, c.fault(ctx, d, err)
	}
	return data, size, nil
}

// size is the size of a blob as it lies there, or sizeAbsent, or sizeUnknown if
// what is there can't be read, which is reported. The error is of ctx.
func (c *checker) size(ctx context.Context, d content.Digest) (int64, error) {
	size, err := c.r.Size(ctx, d)
	switch {
	case err == nil:
		return size, nil
	case errors.Is(err, content.ErrNotFound):
		return sizeAbsent, nil
	}
	return sizeUnknown, c.fault(ctx, d, err)
}

// fault reports why a blob could not be read. It returns the error of ctx.
func (c *checker) fault(ctx context.Context, d content.Digest, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	where := blobAt(d)
	switch {
	case errors.Is(err, content.ErrDigest):
		c.errorf(BlobDigest, where, "%s", reason(err))
	case errors.Is(err, content.ErrSize):
		c.errorf(BlobSize, where, "%s", reason(err))
	case errors.Is(err, content.ErrUnsupported):
		c.notef(Unverifiable, where, "%s", reason(err))
	case errors.Is(err, content.ErrRefused), errors.Is(err, content.ErrInvalid): // a directory, in an archive
		c.errorf(BlobType, where, "%s", reason(err))
	default:
		c.errorf(BlobUnreadable, where, "%s", reason(err))
	}
	return nil
}

// reason is the text of err without the address, which the problem has already.
func reason(err error) string {
	var addressed *content.Error
	for errors.As(err, &addressed) {
		err = addressed.Err
	}
	return err.Error()
}

// blobs reads every blob that is not read yet, the largest first.
func (c *checker) blobs(ctx context.Context) error {
	var todo []content.Digest
	for d, t := range c.targets {
		if !t.read && t.size != sizeAbsent {
			todo = append(todo, d)
		}
	}
	slices.SortFunc(todo, func(a, b content.Digest) int {
		return cmp.Or(cmp.Compare(c.targets[b].weight(), c.targets[a].weight()), cmp.Compare(a, b))
	})
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.workers)
	for _, d := range todo {
		t := c.targets[d]
		g.Go(func() error { return c.stream(ctx, d, t) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, d := range todo {
		if t := c.targets[d]; t.read {
			c.count(t.size)
		}
	}
	return nil
}

// weight is how much work a target is: its size, or what is said to be its size.
func (t *target) weight() int64 {
	if t.size >= 0 || len(t.claims) == 0 {
		return t.size
	}
	return t.claims[0].size
}

// stream reads one blob to its end: its digest and, of a layer, the diffID and
// whether its tar is sound. What a layer seems to have is told only if its digest
// is right: otherwise that is the cause. The error is of ctx.
func (c *checker) stream(ctx context.Context, d content.Digest, t *target) (err error) {
	if t.size, err = c.size(ctx, d); err != nil || t.size < 0 {
		return err
	}
	rc, err := c.r.Fetch(ctx, content.Descriptor{Digest: d, Size: t.size})
	if err != nil {
		return c.fault(ctx, d, err)
	}
	defer func() { _ = rc.Close() }() // the verdict comes with the last Read
	r := &once{r: content.Track(ctx, rc, "verify", content.Short(d), t.size)}
	findings := newCollector()
	if mediaType := c.layerType(t); mediaType != "" {
		l := layer{findings, blobAt(d), c.limits}
		l.read(r, mediaType, t.diffIDs)
	}
	if err := drain(r); err != nil {
		return c.fault(ctx, d, err)
	}
	t.read = true
	for p := range maps.Keys(findings.seen) {
		c.add(p)
	}
	return nil
}

// once reads no further once its reader has ended, so that its end is reported once.
type once struct {
	r   io.Reader
	err error
}

func (o *once) Read(p []byte) (n int, err error) {
	if o.err == nil {
		n, o.err = o.r.Read(p)
	}
	return n, o.err
}

// layerType is the media type of a target that some image has as a layer whose form
// we know, or "". The files of artifacts are nobody's layers, whatever type they
// have: oras calls one of which nobody said the type a plain layer.
func (c *checker) layerType(t *target) string {
	for _, claim := range t.claims {
		if claim.role == content.RoleLayer && content.IsLayer(claim.mediaType) && (len(t.diffIDs) > 0 || c.isImage(claim.parent)) {
			return claim.mediaType
		}
	}
	return ""
}

// isImage says whether a manifest is, or may be, an image's.
func (c *checker) isImage(d content.Digest) bool {
	v := c.manifests[d]
	return v == nil || v.artifactType == "" || content.IsImageConfig(v.artifactType)
}

var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// drain reads r to its end and returns its verdict.
func drain(r io.Reader) error {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	for {
		if _, err := r.Read(buf[:]); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}
