package export

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// loaded is a manifest and its config, as they were read. The bytes belong to a
// slab.
type loaded struct {
	manifest       content.Manifest
	data, config   []byte
	platform       *content.Platform
	diffIDs        []content.Digest
	absent, opaque bool
	taken          bool // this reading made the node
}

// readManifest reads a manifest, and the config of an image.
func (g *gatherer) readManifest(ctx context.Context, s step, room *slab) (loaded, error) {
	mediaType := g.words.text(s.mediaType)
	if mediaType != "" && !content.HasEdges(mediaType) {
		return loaded{opaque: true}, nil
	}
	limit := g.o.Limits.Manifest
	if s.list {
		limit = g.o.Limits.Index
	}
	dgst, src := g.digest(s.id), g.sources[s.src]
	data, err := readProven(ctx, src, dgst, s.size, limit, room)
	switch {
	case errors.Is(err, content.ErrNotFound) && s.mayBeAbsent:
		return loaded{absent: true}, nil
	case errors.Is(err, content.ErrNotFound):
		return loaded{}, missing(dgst, "manifest")
	case err != nil:
		return loaded{}, err
	}
	m, err := layout.ParseManifest(mediaType, data)
	if err != nil {
		return loaded{}, content.AtDigest(dgst, err)
	}
	l := loaded{manifest: m, data: data}
	if m.IsImage() && s.only.holds(m) {
		err = l.readConfig(ctx, src, g.o.Limits, room)
	}
	return l, err
}

// readConfig takes the platform and the diffIDs from a config; one that is not
// what it should be has none, which only the forms that need them mind.
func (l *loaded) readConfig(ctx context.Context, src Source, limits content.Limits, room *slab) error {
	config := l.manifest.Config
	data, err := readProven(ctx, src, config.Digest, config.Size, limits.Manifest, room)
	if errors.Is(err, content.ErrNotFound) {
		return missing(config.Digest, "config")
	}
	if err != nil {
		return err
	}
	l.config = data
	facts, err := layout.ParseFacts(data)
	if err != nil {
		return nil
	}
	l.diffIDs = facts.DiffIDs
	if facts.OS != "" && facts.Architecture != "" {
		p := content.NormalizePlatform(facts.Platform)
		l.platform = &p
	}
	return nil
}

func missing(d content.Digest, what string) error {
	return content.AtDigest(d, content.Errorf(content.ErrMissing, "%s is missing", what))
}

// shape is the media type of a manifest, told by what it holds if neither it nor
// its descriptor says it.
func shape(m content.Manifest) string {
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Manifests != nil:
		return mediaTypeIndex
	default:
		return mediaTypeManifest
	}
}

// slabSize is how much a slab has room for before it takes more memory.
const slabSize = 64 << 10

// A slab is memory for the small blobs that one worker reads for one batch. Later
// batches use it again.
type slab struct{ buf []byte }

// reset gives all memory back. What was taken must not be used anymore.
func (s *slab) reset() { s.buf = s.buf[:0] }

// take gives n bytes.
func (s *slab) take(n int) []byte {
	if n > slabSize {
		return make([]byte, n)
	}
	if len(s.buf)+n > cap(s.buf) {
		s.buf = make([]byte, 0, max(slabSize, min(2*cap(s.buf), batchBytes)))
	}
	s.buf = s.buf[:len(s.buf)+n]
	return s.buf[len(s.buf)-n : len(s.buf) : len(s.buf)]
}
