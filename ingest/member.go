package ingest

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Names of members with a meaning of their own.
const (
	indexName  = "index.json"
	layoutName = "oci-layout"
	blobsDir   = "blobs/"
)

// A member is what is known of one name in the archive once it has passed.
type member struct {
	name   string
	size   int64          // of its bytes in the archive
	raw    content.Digest // of its bytes in the archive
	stored content.Digest // of the bytes that are held or staged; "" if none are
	length int64          // of those bytes
	data   []byte         // those bytes, if they are held in memory
	layer  *layer         // what it is as a layer, if it could be one
	target string         // of a link: the name it points at
	disk   bool           // it is a blob of im.disk, not proven yet
	fault  error          // why it is of no use; matters only if it is listed
}

// A layer is what an image's config and manifest say of a layer.
type layer struct {
	diffID    content.Digest
	mediaType string
}

// heldBytes is how much of small members is kept in memory; the rest is staged.
const heldBytes = 4 << 20

// An importer is the state of one import.
type importer struct {
	batch  *layout.Batch
	disk   *layout.Reader // what is read instead of an archive, or nil
	source string         // what the archive is called
	o      Options
	names  *picker // shared by all archives of one import

	mu      sync.Mutex
	members map[string]*member
	blobs   map[content.Digest]*member // by the digest of what is held or staged
	held    int64                      // bytes in memory

	encoding sync.Mutex // held by the one compressor that runs
	tap      io.Writer  // sees the plain bytes of layers; never fails

	want    map[content.Digest]int64 // what will be published, with its size
	absent  []Absent
	left    []string // names that were not taken
	dropped int      // attestations that were left out
	roots   []root   // what is to have a name, or a place on a list
}

// warn tells of something odd.
func (im *importer) warn(err error) { im.o.Warn(content.At(im.source, err)) }

func newImporter(batch *layout.Batch, source string, o Options, names *picker) *importer {
	return &importer{
		batch: batch, source: source, o: o, names: names, tap: io.Discard,
		members: map[string]*member{},
		blobs:   map[content.Digest]*member{},
		want:    map[content.Digest]int64{},
	}
}

// add records a member. One that was there already must be the same again;
// of index.json the later one counts, since tools append it anew.
func (im *importer) add(m *member) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	if old, ok := im.members[m.name]; ok && m.name != indexName && !old.same(m) {
		return content.At(m.name, content.Errorf(content.ErrRefused, "is in the archive twice, with different content"))
	}
	im.members[m.name] = m
	if m.stored != "" {
		if old, ok := im.blobs[m.stored]; !ok || old.data == nil {
			im.blobs[m.stored] = m
		}
	}
	return nil
}

func (m *member) same(other *member) bool {
	return m.raw == other.raw && m.size == other.size && m.target == other.target
}

// maxLinks is how many links are followed from one name.
const maxLinks = 16

// resolve finds the member that name means, through links.
func (im *importer) resolve(name string) (*member, error) {
	for range maxLinks {
		m, ok := im.members[name]
		if !ok {
			return nil, content.At(name, content.Errorf(content.ErrMissing, "is listed and not in the archive"))
		}
		if m.target == "" {
			return m, content.At(name, m.fault)
		}
		name = m.target
	}
	return nil, content.At(name, content.Errorf(content.ErrRefused, "is a link among more than %d", maxLinks))
}

// release forgets what is needed no more once everything wanted is published.
func (im *importer) release() { im.members, im.blobs, im.held = nil, nil, 0 }

// lookup finds what the archive holds under a descriptor's digest. What is not
// there is ErrNotFound; what cannot be a digest is ErrRefused.
func (im *importer) lookup(d content.Descriptor) (*member, error) {
	if err := content.CheckDigest(d.Digest); err != nil {
		return nil, content.Errorf(content.ErrRefused, "a descriptor has a bad digest: %w", hide(err))
	}
	m, ok := im.blobs[d.Digest]
	if !ok && im.disk != nil {
		return im.onDisk(d)
	}
	if !ok {
		if m, ok = im.members[blobName(d.Digest)]; ok && m.fault != nil {
			return nil, content.At(m.name, m.fault)
		}
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrNotFound, "is not in the archive"))
	}
	if m.length != d.Size {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrSize, "%d bytes, its descriptor says %d", m.length, d.Size))
	}
	return m, nil
}

// hide keeps an error's words and drops its kind: what a user got wrong on the
// command line is hostile or damaged when an archive says it.
func hide(err error) error { return hidden(err.Error()) }

type hidden string

func (h hidden) Error() string { return string(h) }

func blobName(d content.Digest) string { return blobsDir + strings.Replace(d.String(), ":", "/", 1) }

// Fetch implements content.Fetcher over the archive's blobs alone.
func (im *importer) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	m, err := im.lookup(d)
	if err != nil {
		return nil, err
	}
	switch {
	case m.data != nil:
		return content.Verify(io.NopCloser(newReader(m.data)), d), nil
	case m.disk:
		return im.disk.Fetch(ctx, d)
	}
	return im.batch.Fetch(ctx, d)
}

// keep marks a member's stored bytes as wanted.
func (im *importer) keep(m *member) { im.want[m.stored] = m.length }
