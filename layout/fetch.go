package layout

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// Fetch opens verified content: see content.Fetcher. Bytes that lie behind a link
// are proven before the first of them is handed out, since a crafted link may lead
// to a file that is no content.
func (r *Reader) Fetch(ctx context.Context, target content.Descriptor) (io.ReadCloser, error) {
	f, err := r.ReaderAt(ctx, target.Digest)
	if err != nil {
		return nil, err
	}
	body := struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, 0, f.Size()), f}
	return content.Verify(body, target), nil
}

// Exists says whether target is there with its size. A file of another size is not
// the content, whatever its name. The bytes are not read.
func (r *Reader) Exists(ctx context.Context, target content.Descriptor) (bool, error) {
	size, err := r.Size(ctx, target.Digest)
	if errors.Is(err, content.ErrNotFound) {
		return false, nil
	}
	return err == nil && size == target.Size, err
}

// Size is the size of the file under a digest. Nothing is proven by it.
func (r *Reader) Size(_ context.Context, d content.Digest) (int64, error) {
	if err := content.CheckDigest(d); err != nil {
		return 0, err
	}
	size, err := r.src.blobSize(d)
	return size, blobError(d, err)
}

// ReaderAt opens the bytes under a digest as they lie there, for callers that
// prove them on their own. Bytes behind a link are proven first. The caller closes
// it.
func (r *Reader) ReaderAt(ctx context.Context, d content.Digest) (BlobAt, error) {
	if err := content.CheckDigest(d); err != nil {
		return nil, err
	}
	f, inside, err := r.src.blob(d)
	if err != nil {
		return nil, blobError(d, err)
	}
	if !inside {
		if err := prove(ctx, f, content.Descriptor{Digest: d, Size: f.Size()}); err != nil {
			_ = f.Close() // only read
			return nil, err
		}
	}
	return f, nil
}

// Unproven is ReaderAt for callers that show nothing of the bytes, nor anything made of
// them, before they have proven all: bytes behind a link are not proven here.
func (r *Reader) Unproven(d content.Digest) (BlobAt, error) {
	if err := content.CheckDigest(d); err != nil {
		return nil, err
	}
	f, _, err := r.src.blob(d)
	return f, blobError(d, err)
}

// prove reads all of r and says whether it is want.
func prove(ctx context.Context, r io.ReaderAt, want content.Descriptor) error {
	body := io.NewSectionReader(r, 0, math.MaxInt64)
	tracked := content.Track(ctx, body, "prove", content.Short(want.Digest), want.Size)
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(onlyWriter{io.Discard}, content.Verify(io.NopCloser(tracked), want), *buf)
	return err
}

func blobError(d content.Digest, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return content.AtDigest(d, content.Errorf(content.ErrNotFound, "no such blob"))
	}
	return err
}

// guessMediaType tells manifests by their mediaType, or by their shape where they
// leave it out; "" is anything else.
func guessMediaType(data []byte) string {
	var shape struct {
		MediaType string          `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Config    json.RawMessage `json:"config"`
		Layers    json.RawMessage `json:"layers"`
		RootFS    json.RawMessage `json:"rootfs"`
	}
	if json.Unmarshal(data, &shape) != nil {
		return ""
	}
	switch {
	case content.HasEdges(shape.MediaType):
		return shape.MediaType
	case shape.Manifests != nil:
		return ocispec.MediaTypeImageIndex
	case shape.Config != nil && shape.Layers != nil:
		return ocispec.MediaTypeImageManifest
	case shape.RootFS != nil:
		return ocispec.MediaTypeImageConfig
	}
	return ""
}
