package ingest

import (
	"context"
	"io"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

// hashOnly reads a member of no use to its end, so that two of one name can be
// told apart.
func (m *member) hashOnly(body io.Reader) error {
	hash := digest.SHA256.Hash()
	_, err := copyTo(hash, body)
	m.raw = digest.NewDigest(digest.SHA256, hash)
	return err
}

// takeTable takes in a table of contents of at most limit bytes. One beyond is of
// no use, which matters only if it turns out to be the one that counts.
func (im *importer) takeTable(ctx context.Context, m *member, body io.Reader, limit int64) error {
	if m.size > limit {
		m.fault = content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", m.size, limit)
		return m.hashOnly(body)
	}
	return im.takeSmall(ctx, m, body)
}

// takeSmall takes in a member of bounded size: in memory while there is room, in
// the staging area beyond.
func (im *importer) takeSmall(ctx context.Context, m *member, body io.Reader) error {
	if !im.reserve(m.size) {
		return im.stage(ctx, m, body, digest.SHA256)
	}
	m.data = make([]byte, m.size)
	if _, err := io.ReadFull(body, m.data); err != nil {
		return err
	}
	m.raw = digest.FromBytes(m.data)
	m.stored, m.length = m.raw, m.size
	return nil
}

// reserve makes room for n bytes in memory, if there is any.
func (im *importer) reserve(n int64) bool {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.held+n > heldBytes {
		return false
	}
	im.held += n
	return true
}

// stage puts a member's bytes into the staging area as they are.
func (im *importer) stage(ctx context.Context, m *member, body io.Reader, alg digest.Algorithm) error {
	w, err := im.batch.Create(ctx, alg)
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }() // nothing after Commit
	if _, err := copyTo(w, body); err != nil {
		return err
	}
	m.stored, m.length, err = w.Commit()
	m.raw = m.stored
	return err
}

// takeBlob takes in a file below blobs/, which must have the digest that its path
// says. Other files are of no use, and neither is a digest that we can't prove.
func (im *importer) takeBlob(ctx context.Context, m *member, body io.Reader) error {
	if strings.HasPrefix(path.Base(m.name), ".") {
		m.fault = content.Errorf(content.ErrCorrupt, "is not a blob")
		return m.hashOnly(body)
	}
	alg, enc, _ := strings.Cut(strings.TrimPrefix(m.name, blobsDir), "/")
	want := content.Digest(alg + ":" + enc)
	if err := content.CheckDigest(want); err != nil {
		m.fault = content.Errorf(content.ErrRefused, "the path is not that of a blob: %w", hide(err))
		im.warn(content.At(m.name, content.Errorf(content.ErrRefused, "is not a blob and is left out")))
		return m.hashOnly(body)
	}
	if !content.Verifiable(want) {
		m.fault = content.Errorf(content.ErrUnsupported, "algorithm %s can't be verified", alg)
		return m.hashOnly(body)
	}
	if err := im.stageBlob(ctx, m, body, want.Algorithm()); err != nil {
		return err
	}
	if m.stored != want {
		return content.Errorf(content.ErrDigest, "bytes have digest %s", m.stored)
	}
	return nil
}

// smallBlob is the size up to which what is probably a manifest or config is held
// in memory, where the end of the import looks at it.
const smallBlob = 64 << 10

func (im *importer) stageBlob(ctx context.Context, m *member, body io.Reader, alg digest.Algorithm) error {
	if m.size > smallBlob || alg != digest.SHA256 {
		return im.stage(ctx, m, body, alg)
	}
	return im.takeSmall(ctx, m, body)
}
