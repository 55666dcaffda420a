package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// keptManifests is about how many bytes of manifests a pull keeps in memory; the others
// are read again from where they were staged.
const keptManifests = 32 << 20

// pullSource reads manifests from the layout where they are there and right, and all else
// from the repository in which the pull came upon it. It is safe for concurrent use.
type pullSource struct {
	batch  *layout.Batch
	limits content.Limits

	mu       sync.Mutex
	kept     map[content.Digest][]byte           // manifests
	size     int                                 // of these
	gone     map[content.Digest]bool             // manifests that are not there
	children map[content.Digest][]content.Digest // of every manifest that was read
	homes    map[content.Digest]*Repository      // of what one leads to
}

func newPullSource(batch *layout.Batch, limits content.Limits) *pullSource {
	return &pullSource{
		batch: batch, limits: limits,
		kept: map[content.Digest][]byte{}, gone: map[content.Digest]bool{},
		children: map[content.Digest][]content.Digest{}, homes: map[content.Digest]*Repository{},
	}
}

// Fetch opens verified content.
func (s *pullSource) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if content.HasEdges(d.MediaType) {
		data, err := s.manifest(ctx, d)
		if err != nil {
			return nil, err
		}
		return content.Verify(io.NopCloser(bytes.NewReader(data)), d), nil
	}
	if content.IsImageConfig(d.MediaType) {
		if ok, err := s.batch.Exists(ctx, d); err == nil && ok {
			return s.batch.Fetch(ctx, d)
		}
	}
	repo, err := s.home(d.Digest)
	if err != nil {
		return nil, err
	}
	return repo.Fetch(ctx, d)
}

// FetchFrom opens a blob from an offset on: see content.FetcherFrom.
func (s *pullSource) FetchFrom(ctx context.Context, d content.Descriptor, offset int64) (io.ReadCloser, error) {
	repo, err := s.home(d.Digest)
	if err != nil {
		return nil, err
	}
	return repo.FetchFrom(ctx, d, offset)
}

// manifest reads one, and notes what it leads to.
func (s *pullSource) manifest(ctx context.Context, d content.Descriptor) ([]byte, error) {
	s.mu.Lock()
	data, ok := s.kept[d.Digest]
	gone := s.gone[d.Digest]
	s.mu.Unlock()
	if ok {
		return data, nil
	}
	if gone {
		return nil, content.AtDigest(d.Digest, content.ErrNotFound)
	}
	data, err := content.FetchAll(ctx, s.batch, d, s.limits.Manifest)
	if err != nil {
		repo, err := s.home(d.Digest)
		if err == nil {
			data, err = content.FetchAll(ctx, repo, d, s.limits.Manifest)
		}
		if errors.Is(err, content.ErrNotFound) {
			s.mu.Lock()
			s.gone[d.Digest] = true
			s.mu.Unlock()
		}
		if err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(d, data)
	if s.size+len(data) <= keptManifests {
		s.keep(d.Digest, data)
	}
	return data, nil
}

// add takes in a manifest that was read, and the repository that it is in.
func (s *pullSource) add(f *Found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(f.Digest, f.repo)
	delete(s.gone, f.Digest)
	s.note(f.Descriptor, f.Bytes)
	s.keep(f.Digest, f.Bytes)
}

// at says in which repository content is, if nobody has said so.
func (s *pullSource) at(d content.Digest, repo *Repository) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(d, repo)
}

func (s *pullSource) settle(d content.Digest, repo *Repository) {
	if s.homes[d] == nil {
		s.homes[d] = repo
	}
}

func (s *pullSource) home(d content.Digest) (*Repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if repo := s.homes[d]; repo != nil {
		return repo, nil
	}
	return nil, content.AtDigest(d, content.Errorf(content.ErrNotFound, "in no repository"))
}

func (s *pullSource) keep(d content.Digest, data []byte) {
	if _, ok := s.kept[d]; !ok {
		s.kept[d] = data
		s.size += len(data)
	}
}

// note says where to look for what a manifest leads to. What is no manifest is the
// walk's to refuse.
func (s *pullSource) note(d content.Descriptor, data []byte) {
	if _, ok := s.children[d.Digest]; ok {
		return
	}
	m, err := content.ParseManifest(d.MediaType, data)
	if err != nil {
		return
	}
	var children []content.Digest
	for _, e := range m.Edges() {
		if e.Role == content.RoleSubject {
			continue
		}
		s.settle(e.To.Digest, s.homes[d.Digest])
		if content.HasEdges(e.To.MediaType) {
			children = append(children, e.To.Digest)
		}
	}
	s.children[d.Digest] = children
}

// forget drops manifests from memory, which have been staged.
func (s *pullSource) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.kept)
	s.size = 0
}

// below lists the manifests that were taken of what roots lead to, these included.
func (s *pullSource) below(roots []content.Digest, taken map[content.Digest]bool) map[content.Digest]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	reached := map[content.Digest]bool{}
	for next := append([]content.Digest(nil), roots...); len(next) > 0; {
		d := next[len(next)-1]
		next = next[:len(next)-1]
		children, read := s.children[d]
		if !read || !taken[d] || reached[d] {
			continue
		}
		reached[d] = true
		next = append(next, children...)
	}
	return reached
}

// full says whether memory has as many manifests as it should.
func (s *pullSource) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size >= keptManifests
}

func (s *pullSource) manifests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.children)
}
