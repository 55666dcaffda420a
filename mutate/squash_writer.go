package mutate

import (
	"context"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/layout"

	"github.com/ocilayout/ocilayout/content"
)

// A squashWriter takes the plain tar of a new layer, perhaps several times, of which
// the last counts.
type squashWriter struct {
	ctx  context.Context
	job  *Job
	alg  digest.Algorithm
	form Form

	blob  *layout.BlobWriter
	plain hash.Hash
	zip   io.WriteCloser // nil for a layer without compression
}

// begin drops what was written and gives a new writer.
func (w *squashWriter) begin() (_ io.Writer, err error) {
	w.abort()
	if w.blob, err = w.job.Batch.Create(w.ctx, w.alg); err != nil {
		return nil, err
	}
	w.plain = digest.Canonical.Hash()
	switch w.form.Compression {
	case "gzip":
		w.zip, err = compress.NewGzipWriter(w.blob, compress.GzipOptions{Level: w.form.Level})
	case "zstd":
		w.zip, err = compress.NewZstdWriter(w.blob, w.form.Level)
	}
	if err != nil {
		w.zip = nil
		return nil, err
	}
	if w.zip == nil {
		return io.MultiWriter(w.plain, w.blob), nil
	}
	return io.MultiWriter(w.plain, w.zip), nil
}

// commit stages the layer.
func (w *squashWriter) commit(mediaType string) (squashed, error) {
	if w.zip != nil {
		zip := w.zip
		w.zip = nil
		if err := zip.Close(); err != nil {
			return squashed{}, err
		}
	}
	d, size, err := w.blob.Commit()
	return squashed{content.Descriptor{MediaType: mediaType, Digest: d, Size: size}, digest.NewDigest(digest.Canonical, w.plain)}, err
}

// abort drops what was not committed.
func (w *squashWriter) abort() {
	if w.zip != nil {
		_ = w.zip.Close() // frees its goroutines
		w.zip = nil
	}
	if w.blob != nil {
		_ = w.blob.Abort() // of no use to anybody
	}
}
