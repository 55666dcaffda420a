package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

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
// as it lies there; small ones lie in buf. What is wrong with it is reported, and the
// bytes are nil. The error is of ctx.
func (c *checker) readBlob(ctx context.Context, d content.Digest, most int64, buf []byte) ([]byte, int64, error) {
	data, known := c.readSmall(d, buf)
	size := int64(len(data))
	if !known {
		var err error
		if size, err = c.size(ctx, d); err != nil || size < 0 {
			return nil, size, err
		}
	}
	if size > most {
		c.errorf(TooLarge, blobAt(d), "%d bytes are over the limit of %d", size, most)
		return nil, size, nil
	}
	if known {
		return c.proven(d, data), size, nil
	}
	data, err := content.FetchAll(ctx, c.r, content.Descriptor{Digest: d, Size: size}, most)
	if err != nil {
		return nil, size, c.fault(ctx, d, err)
	}
	return data, size, nil
}

// readSmall reads a blob into buf, if it can be done in one go. Nothing is proven.
func (c *checker) readSmall(d content.Digest, buf []byte) ([]byte, bool) {
	if c.r.IsArchive() {
		return c.readMember(d, buf)
	}
	n, ok := c.r.ReadSmall(d, buf)
	if !ok {
		return nil, false
	}
	return buf[:n], true
}

// readMember is readSmall in an archive.
func (c *checker) readMember(d content.Digest, buf []byte) ([]byte, bool) {
	if !content.Verifiable(d) {
		return nil, false
	}
	f, err := c.r.Unproven(d)
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }() // only read
	if f.Size() > int64(len(buf)) {
		return nil, false
	}
	data := buf[:f.Size()]
	n, err := f.ReadAt(data, 0)
	return data, n == len(data) && (err == nil || err == io.EOF)
}

// proven returns data if d is its digest, and reports it and returns nil if not.
func (c *checker) proven(d content.Digest, data []byte) []byte {
	if got := d.Algorithm().FromBytes(data); got != d {
		c.errorf(BlobDigest, blobAt(d), "bytes have digest %s", got)
		return nil
	}
	return data
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

// blobs reads every blob that is not read yet, the largest first; at the level Quick
// it only asks for their sizes.
func (c *checker) blobs(ctx context.Context) error {
	var todo []content.Digest
	for d, t := range c.targets {
		if !t.read && t.size != sizeAbsent && (c.level != Quick || t.size < 0) {
			todo = append(todo, d)
		}
	}
	slices.SortFunc(todo, func(a, b content.Digest) int {
		return cmp.Or(cmp.Compare(c.targets[b].weight(), c.targets[a].weight()), cmp.Compare(a, b))
	})
	var taken atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(c.workers, len(todo)) {
		g.Go(func() error {
			s := scratches.Get().(*scratch)
			defer scratches.Put(s)
			for {
				i := int(taken.Add(1)) - 1
				if i >= len(todo) {
					return nil
				}
				if err := c.blob(ctx, todo[i], c.targets[todo[i]], s); err != nil {
					return err
				}
			}
		})
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

// blob judges one blob as far as the level says. The error is of ctx.
func (c *checker) blob(ctx context.Context, d content.Digest, t *target, s *scratch) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.level != Quick {
		if data, ok := c.readSmall(d, s.manifest[:]); ok {
			c.smallBlob(d, t, data)
			return nil
		}
	}
	if t.size, err = c.size(ctx, d); err != nil || t.size < 0 || c.level == Quick {
		return err
	}
	return c.stream(ctx, d, t)
}

// smallBlob is stream for a blob that is in memory.
func (c *checker) smallBlob(d content.Digest, t *target, data []byte) {
	t.size = int64(len(data))
	if c.proven(d, data) == nil {
		return
	}
	t.read = true
	if mediaType := c.layerType(t); mediaType != "" {
		findings := newCollector()
		l := layer{findings, blobAt(d), c.limits}
		l.read(bytes.NewReader(data), mediaType, t.diffIDs)
		c.addAll(findings)
	}
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
func (c *checker) stream(ctx context.Context, d content.Digest, t *target) error {
	f, err := c.r.Unproven(d)
	if err != nil {
		return c.fault(ctx, d, err)
	}
	defer func() { _ = f.Close() }() // only read
	rc := content.Verify(io.NopCloser(io.NewSectionReader(f, 0, f.Size())), content.Descriptor{Digest: d, Size: t.size})
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
	c.addAll(findings)
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
// we know, if layers are looked into, or "". The files of artifacts are nobody's layers, whatever type they
// have: oras calls one of which nobody said the type a plain layer.
func (c *checker) layerType(t *target) string {
	if c.level != Full {
		return ""
	}
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
