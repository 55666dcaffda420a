package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ocilayout/ocilayout/content"
)

// A mirror is another place of a repository, for what is read.
type mirror struct {
	*Repository
	tags, digests, digestsOfTag bool

	answered atomic.Bool // for a tag
	down     atomic.Bool // nothing more is asked of it
	warn     sync.Once
}

// serves says whether it is asked for what is at a tag, or under a digest.
func (m *mirror) serves(tag bool) bool {
	switch {
	case m.down.Load():
		return false
	case tag:
		return m.tags
	}
	return m.digests || m.digestsOfTag && m.answered.Load()
}

// failed notes why a mirror did not answer. What it does not have is no failure; after
// others that are not of one piece of content it is not asked again.
func (m *mirror) failed(err error) {
	if errors.Is(err, content.ErrNotFound) {
		return
	}
	for _, lasting := range []error{ErrUnavailable, ErrRateLimited, ErrUnauthorized, ErrDenied, content.ErrRefused} {
		if errors.Is(err, lasting) {
			m.down.Store(true)
		}
	}
	m.warn.Do(func() { m.c.o.Warn(fmt.Errorf("%w (of a mirror; the next place is asked)", err)) })
}

// ask asks those mirrors that are set up for it what is at point, a tag or digest, and
// at last the registry itself. The question gets the places that come after it, too.
func ask[T any](ctx context.Context, r *Repository, point string, question func(at *Repository, rest []*Repository) (T, error)) (T, error) {
	tag := !strings.Contains(point, ":")
	var some []*mirror
	places := []*Repository{}
	for _, m := range r.mirrors {
		if m.serves(tag) {
			some = append(some, m)
			places = append(places, m.Repository)
		}
	}
	places = append(places, r)
	for i, m := range some {
		answer, err := question(m.Repository, places[i+1:])
		if err == nil {
			if tag {
				m.answered.Store(true)
			}
			return answer, nil
		}
		if ctx.Err() != nil {
			return answer, context.Cause(ctx)
		}
		m.failed(err)
	}
	return question(r, nil)
}

// listing asks the registry itself for a list, and if it does not give it the mirrors.
func listing[T any](ctx context.Context, r *Repository, question func(at *Repository) (T, error)) (T, error) {
	if !r.silent.Load() || len(r.mirrors) == 0 {
		answer, err := question(r)
		if err == nil || len(r.mirrors) == 0 || ctx.Err() != nil {
			return answer, err
		}
		if other, ok := listOfMirror(ctx, r, question); ok {
			if !errors.Is(err, content.ErrNotFound) && !r.silent.Swap(true) {
				r.c.o.Warn(fmt.Errorf("%w (lists of tags and referrers are those of a mirror, which need not have all)", err))
			}
			return other, nil
		}
		return answer, err
	}
	if answer, ok := listOfMirror(ctx, r, question); ok {
		return answer, nil
	}
	return question(r)
}

func listOfMirror[T any](ctx context.Context, r *Repository, question func(at *Repository) (T, error)) (answer T, ok bool) {
	for _, m := range r.mirrors {
		if m.down.Load() || ctx.Err() != nil {
			continue
		}
		answer, err := question(m.Repository)
		if err == nil {
			return answer, true
		}
		m.failed(err)
	}
	return answer, false
}

// Resolve finds what a tag or digest points to: one request. What the registry does
// not have is ErrNotFound.
func (r *Repository) Resolve(ctx context.Context, point string) (content.Descriptor, error) {
	return ask(ctx, r, point, func(at *Repository, _ []*Repository) (content.Descriptor, error) { return at.resolve(ctx, point) })
}

// Manifest reads the manifest or index that a tag or digest points to, in one request.
// Under a digest its bytes are proven; of a tag the descriptor is what they are.
func (r *Repository) Manifest(ctx context.Context, point string) (content.Descriptor, []byte, error) {
	var data []byte
	d, err := ask(ctx, r, point, func(at *Repository, _ []*Repository) (d content.Descriptor, err error) {
		d, data, err = at.manifest(ctx, point, at.c.o.Limits.Manifest)
		return d, err
	})
	return d, data, err
}

// Fetch opens verified content: see content.Fetcher. A connection that drops, or
// stands still, is taken up where it ended, and what a mirror does not send to the end
// at the next place.
func (r *Repository) Fetch(ctx context.Context, target content.Descriptor) (io.ReadCloser, error) {
	rc, err := r.FetchFrom(ctx, target, 0)
	if err != nil {
		return nil, err
	}
	return content.Verify(rc, target), nil
}

// FetchFrom is Fetch from an offset on, unproven: see content.FetcherFrom.
func (r *Repository) FetchFrom(ctx context.Context, target content.Descriptor, offset int64) (io.ReadCloser, error) {
	if err := content.CheckDigest(target.Digest); err != nil {
		return nil, err
	}
	return ask(ctx, r, target.Digest.String(), func(at *Repository, rest []*Repository) (io.ReadCloser, error) {
		d, err := at.open(ctx, target, offset)
		if err != nil {
			return nil, err
		}
		return &relay{d, ctx, rest}, nil
	})
}

// A relay is a download that goes on at other places, if need be.
type relay struct {
	*download
	outer context.Context // without what one place's tokens are for
	rest  []*Repository
}

// Read reads on.
func (r *relay) Read(p []byte) (int, error) {
	for {
		n, err := r.download.Read(p)
		if err == nil || err == io.EOF || r.ctx.Err() != nil || len(r.rest) == 0 {
			return n, err
		}
		if err := r.Close(); err != nil {
			return n, err
		}
		next := r.rest[0]
		r.repo.c.o.Warn(fmt.Errorf("%w (of a mirror; it goes on at %s)", err, next.ref.Host))
		r.rest, r.repo, r.ctx, r.tries = r.rest[1:], next, next.asPuller(r.outer), 0
		if n > 0 {
			return n, nil
		}
	}
}

// Tags lists the tags of the repository, a thousand with each request.
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	return listing(ctx, r, func(at *Repository) ([]string, error) { return at.tags(ctx) })
}

// referrers lists what refers to a subject.
func (r *Repository) referrers(ctx context.Context, subject content.Digest) ([]content.Descriptor, error) {
	if err := content.CheckDigest(subject); err != nil {
		return nil, err
	}
	return listing(ctx, r, func(at *Repository) ([]content.Descriptor, error) { return at.ownReferrers(ctx, subject) })
}
