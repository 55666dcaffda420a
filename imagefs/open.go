package imagefs

import (
	"bufio"
	"context"
	"errors"
	"hash"
	"io"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// OpenLayer returns the plain tar of a layer. Its compression is told by its
// bytes, not by its media type, which some writers get wrong. The last Read
// returns io.EOF only if the blob is what its digest says and the tar what the
// diffID, if there is one, says; ErrCorrupt otherwise. A media type that is no layer's is
// ErrUnsupported (an encrypted layer, say), a blob that f does not have ErrMissing. The caller closes the reader.
func OpenLayer(ctx context.Context, f content.Fetcher, l Layer, limits content.Limits) (io.ReadCloser, error) {
	if !content.IsLayer(l.MediaType) {
		return nil, content.AtDigest(l.Digest, content.Errorf(content.ErrUnsupported,
			"%q is not a layer that can be read", l.MediaType))
	}
	if l.DiffID != "" && !content.Verifiable(l.DiffID) {
		return nil, content.AtDigest(l.Digest, content.Errorf(content.ErrUnsupported,
			"diffID %s can't be verified", l.DiffID))
	}
	blob, err := f.Fetch(ctx, l.Descriptor)
	if errors.Is(err, content.ErrNotFound) {
		err = content.AtDigest(l.Digest, content.Errorf(content.ErrMissing, "layer is missing"))
	}
	if err != nil {
		return nil, err
	}
	limits = limits.WithDefaults()
	s := &layerStream{blob: blob, want: l.DiffID}
	if l.DiffID != "" {
		s.hash = l.DiffID.Algorithm().Hash()
	}
	s.in = bufio.NewReaderSize(blob, 64) // to look at the first bytes; larger reads pass it by
	format, err := compress.Sniff(s.in)
	if err == nil {
		s.plain, err = compress.NewReader(s.in, format, compress.Limits{MaxBytes: limits.Layer, MaxRatio: limits.Ratio})
	}
	if err != nil {
		_ = blob.Close() // the first error tells more
		return nil, content.AtDigest(l.Digest, err)
	}
	return s, nil
}

// layerStream is the plain bytes of a layer, ending in the verdict on both forms.
type layerStream struct {
	blob  io.ReadCloser
	in    *bufio.Reader
	plain io.ReadCloser
	hash  hash.Hash // nil without a diffID
	want  content.Digest
	err   error
}

func (s *layerStream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.plain.Read(p)
	if s.hash != nil {
		s.hash.Write(p[:n])
	}
	switch {
	case err == io.EOF:
		err = s.verdict()
	case errors.Is(err, content.ErrCorrupt):
		// If the blob is not what its digest says, that is the better answer.
		if _, digestErr := io.Copy(io.Discard, s.in); digestErr != nil {
			err = digestErr
		}
	}
	s.err = err
	return n, err
}

// verdict reads what the decompressor left of the blob, to prove its digest, and
// compares the diffID.
func (s *layerStream) verdict() error {
	if _, err := io.Copy(io.Discard, s.in); err != nil {
		return err
	}
	if s.hash == nil {
		return io.EOF
	}
	alg := s.want.Algorithm()
	if got := content.Digest(alg.String() + ":" + alg.Encode(s.hash.Sum(nil))); got != s.want {
		return content.Errorf(content.ErrDigest, "layer decompresses to %s, the config says %s", got, s.want)
	}
	return io.EOF
}

func (s *layerStream) Close() error {
	_ = s.plain.Close() // frees buffers only
	return s.blob.Close()
}
