package mutate

import (
	"context"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/layout"

	"github.com/ocilayout/ocilayout/content"
)

// A squashWriter takes the plain tar of a new layer, perhaps several times, of which
// the last counts.
type squashWriter struct {
	ctx  context.Context
	job  *Job
	alg  digest.Algorithm
	form string // compression

	blob  *layout.BlobWriter
	plain hash.Hash
	zip   io.WriteCloser
}

// begin drops what was written and gives a new writer.
func (w *squashWriter) begin() (_ io.Writer, err error) {
	w.abort()
	if w.blob, err = w.job.Batch.Create(w.ctx, w.alg); err != nil {
		return nil, err
	}
	w.plain = digest.Canonical.Hash()
	if w.zip, err = newEncoder(w.blob, w.form, 0); err != nil {
		w.zip = nil
		return nil, err
	}
	return hashed{w.zip, w.plain}, nil
}

// commit stages the layer.
func (w *squashWriter) commit(mediaType string) (squashed, error) {
	zip := w.zip
	w.zip = nil
	if err := zip.Close(); err != nil {
		return squashed{}, err
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
