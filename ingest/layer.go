package ingest

import (
	"context"
	"errors"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// takeLayer takes in what looks like a layer: it is stored in the form that was
// asked for. Whether it is one, and is whole, only the end of the archive tells;
// until then damage inside it is remembered and no failure.
func (im *importer) takeLayer(ctx context.Context, m *member, prefix []byte, body io.Reader) error {
	err := im.storeLayer(ctx, m, compress.Detect(prefix), body)
	if errors.Is(err, content.ErrCorrupt) || errors.Is(err, content.ErrRefused) {
		m.fault, m.layer = err, nil
		_, err = copyTo(io.Discard, body)
	}
	return err
}

// hasher hashes what is read through it.
type hasher struct {
	r    io.Reader
	hash hash.Hash
}

func (h *hasher) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.hash.Write(p[:n])
	return n, err
}

func (h *hasher) sum() content.Digest { return digest.NewDigest(digest.SHA256, h.hash) }

// storeLayer stages the layer that body holds in format from.
func (im *importer) storeLayer(ctx context.Context, m *member, from compress.Format, body io.Reader) error {
	to := im.o.Compress.target(from)
	w, err := im.batch.Create(ctx, digest.SHA256)
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }() // nothing after Commit
	raw := &hasher{r: body, hash: digest.SHA256.Hash()}
	var diffID content.Digest
	switch {
	case from != compress.None && from == to:
		diffID, err = im.copyAndExpand(w, body, from) // w hashes
	case from != compress.None:
		diffID, err = im.recode(w, raw, from, to)
	case to == compress.None:
		_, err = copyTo(w, io.TeeReader(body, im.tap))
	default:
		raw.r = io.TeeReader(body, im.tap)
		err = im.encode(w, raw, to)
		diffID = raw.sum()
	}
	if err != nil {
		return err
	}
	if m.stored, m.length, err = w.Commit(); err != nil {
		return err
	}
	if m.raw = raw.sum(); from == to {
		m.raw = m.stored
	}
	if diffID == "" {
		diffID = m.stored
	}
	m.layer = &layer{diffID: diffID, mediaType: layerTypes[to]}
	return nil
}

var layerTypes = map[compress.Format]string{
	compress.None: ocispec.MediaTypeImageLayer,
	compress.Gzip: ocispec.MediaTypeImageLayerGzip,
	compress.Zstd: ocispec.MediaTypeImageLayerZstd,
}

// expandLimits bound the decompression of a layer.
func (im *importer) expandLimits() compress.Limits {
	return compress.Limits{MaxBytes: im.o.Limits.Layer, MaxRatio: im.o.Limits.Ratio}
}

// recode writes body to w in another format and returns the digest of the plain
// tar between the two.
func (im *importer) recode(w io.Writer, body io.Reader, from, to compress.Format) (content.Digest, error) {
	plain, err := compress.NewReader(body, from, im.expandLimits())
	if err != nil {
		return "", err
	}
	defer func() { _ = plain.Close() }()
	diff := &hasher{r: io.TeeReader(plain, im.tap), hash: digest.SHA256.Hash()}
	if err := im.encode(w, diff, to); err != nil {
		return "", err
	}
	return diff.sum(), nil
}

// encode writes r to w in a format. A compressor keeps all cores and some
// megabytes busy, so there is one at a time.
func (im *importer) encode(w io.Writer, r io.Reader, to compress.Format) error {
	if to == compress.None {
		_, err := copyTo(w, r)
		return err
	}
	im.encoding.Lock()
	defer im.encoding.Unlock()
	if to == compress.Zstd {
		z, err := compress.NewZstdWriter(w, 0)
		if err != nil {
			return err
		}
		_, err = copyTo(z, r)
		return closing(z, err)
	}
	z, err := compress.NewGzipWriter(w, compress.GzipOptions{})
	if err != nil {
		return err
	}
	_, err = z.ReadFrom(r)
	return closing(z, err)
}

// closing closes z and returns its error, unless err came first: a compressor that
// could not write says the same again.
func closing(z io.Closer, err error) error {
	if cerr := z.Close(); err == nil {
		return cerr
	}
	return err
}

// copyAndExpand writes body to w as it is and returns the digest of what it
// decompresses to, which another goroutine works out meanwhile.
func (im *importer) copyAndExpand(w io.Writer, body io.Reader, format compress.Format) (content.Digest, error) {
	pr, pw := io.Pipe()
	type verdict struct {
		diffID content.Digest
		err    error
	}
	done := make(chan verdict, 1)
	go func() {
		diff := digest.SHA256.Hash()
		err := im.expand(diff, pr, format)
		_ = pr.CloseWithError(err) // nil makes the writer fail too, if there is more
		done <- verdict{digest.NewDigest(digest.SHA256, diff), err}
	}()
	_, err := copyTo(io.MultiWriter(w, pw), body)
	_ = pw.CloseWithError(err) // nil is io.EOF
	v := <-done
	if v.err != nil {
		return "", v.err
	}
	return v.diffID, err
}

func (im *importer) expand(w io.Writer, r io.Reader, format compress.Format) error {
	plain, err := compress.NewReader(r, format, im.expandLimits())
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }()
	_, err = copyTo(w, io.TeeReader(plain, im.tap))
	return err
}
