package sync

import (
	"context"
	"errors"
	gosync "sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// keptManifests is about how many bytes of manifests are kept until they are copied; the
// others are asked for again.
const keptManifests = 64 << 20

// An observer looks at sources and targets, at each name once, several at once.
type observer struct {
	s      *registry.Session
	layout layout.Options
	limit  int   // requests at once
	lock   *Lock // what sources are said to be; nil asks them
	mode   Mode

	mu      gosync.Mutex
	shelves map[string]*shelf
	there   map[Place]map[string]bool // tags of repositories
	found   map[Point]*registry.Found // manifests that are in hand
	kept    int                       // bytes of these
	listed  []Place                   // sources that were listed whole
	cosign  map[side][]string         // tags that cosign gave, of repositories
}

func newObserver(s *registry.Session, lo layout.Options, limit int, lock *Lock, mode Mode) *observer {
	return &observer{
		s: s, layout: lo, limit: limit, lock: lock, mode: mode,
		shelves: map[string]*shelf{}, there: map[Place]map[string]bool{}, found: map[Point]*registry.Found{}, cosign: map[side][]string{},
	}
}

func (ob *observer) close() error {
	var errs []error
	for _, s := range ob.shelves {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// shelf opens a layout once.
func (ob *observer) shelf(ctx context.Context, path string) (*shelf, error) {
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if s, ok := ob.shelves[path]; ok {
		return s, nil
	}
	s, err := openShelf(ctx, path, ob.layout)
	if err == nil {
		ob.shelves[path] = s
	}
	return s, err
}

// get reads the manifest of a point, once as long as it is kept.
func (ob *observer) get(ctx context.Context, p Point) (*registry.Found, error) {
	ob.mu.Lock()
	found := ob.found[p]
	ob.mu.Unlock()
	if found != nil {
		return found, nil
	}
	found, err := registry.Find(ctx, ob.s, p.reference())
	if err != nil {
		return nil, err
	}
	ob.mu.Lock()
	defer ob.mu.Unlock()
	if ob.kept += len(found.Bytes); ob.kept <= keptManifests {
		ob.found[p] = found
	}
	return found, nil
}

// look finds out what is at the targets and the sources of jobs. What can't be found out
// is an error of the job.
func (ob *observer) look(ctx context.Context, jobs []Job) error {
	if err := ob.listTargets(ctx, jobs); err != nil {
		return err
	}
	have := map[Point]*Seen{}
	for _, job := range jobs {
		have[job.Target] = &Seen{}
	}
	if err := ask(ctx, ob, have, ob.target); err != nil {
		return err
	}
	from, wants := map[sourceKey]*Seen{}, map[sourceKey]bool{}
	for i := range jobs {
		job := &jobs[i]
		if job.Have.Err == nil {
			job.Have = *have[job.Target]
		}
		if job.Have.Err != nil || job.From.Err != nil || ob.mode.Missing && job.Have.Digest != "" {
			continue
		}
		key := keyOf(*job)
		from[key] = &Seen{}
		wants[key] = wants[key] || job.Have.Digest == "" && job.Entry.RateLimit.Min == 0
	}
	err := ask(ctx, ob, from, func(ctx context.Context, key sourceKey) Seen { return ob.source(ctx, key, wants[key]) })
	for i := range jobs {
		if seen := from[keyOf(jobs[i])]; seen != nil && jobs[i].From.Err == nil {
			jobs[i].From = *seen
		}
	}
	return err
}

// A sourceKey is what is asked of a source.
type sourceKey struct {
	Point
	platform string // that is wanted alone
}

func keyOf(job Job) sourceKey {
	key := sourceKey{Point: job.Source}
	if job.Entry.platform != nil {
		key.platform = content.FormatPlatform(*job.Entry.platform)
	}
	return key
}

// ask sees what is at each key.
func ask[K comparable](ctx context.Context, ob *observer, keys map[K]*Seen, see func(context.Context, K) Seen) error {
	order := make([]K, 0, len(keys))
	for key := range keys {
		order = append(order, key)
	}
	return ob.each(ctx, len(order), func(ctx context.Context, i int) error {
		*keys[order[i]] = see(ctx, order[i])
		return ctx.Err()
	})
}

// each calls fn for each number below n, several at once.
func (ob *observer) each(ctx context.Context, n int, fn func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(ob.limit)
	for i := range n {
		g.Go(func() error { return fn(ctx, i) })
	}
	return g.Wait()
}

// listTargets lists the tags of repositories that several jobs write to: those that are
// not there need not be asked for.
func (ob *observer) listTargets(ctx context.Context, jobs []Job) error {
	count := map[Place]int{}
	var places []Place
	for _, job := range jobs {
		if p := job.Target.Place; p.Layout == "" && job.Have.Err == nil {
			if count[p]++; count[p] == 2 {
				places = append(places, p)
			}
		}
	}
	return ob.each(ctx, len(places), func(ctx context.Context, i int) error {
		p := places[i]
		repo, err := ob.s.Open(ctx, Point{Place: p}.reference())
		if err != nil {
			return nil // as each job will find
		}
		tags, err := repo.Tags(ctx)
		if err != nil && !errors.Is(err, content.ErrNotFound) {
			return ctx.Err() // each is asked for, then
		}
		known := map[string]bool{}
		for _, tag := range tags {
			known[tag] = true
		}
		ob.mu.Lock()
		defer ob.mu.Unlock()
		ob.there[p] = known
		return nil
	})
}

// target sees what a target has.
func (ob *observer) target(ctx context.Context, p Point) Seen {
	if p.Name == "" {
		return Seen{} // an image under its digest alone: it is there or will be
	}
	if p.Layout != "" {
		s, err := ob.shelf(ctx, p.Layout)
		if err != nil {
			return Seen{Err: err}
		}
		d, ok := s.names[key(p.Name)]
		if !ok {
			return Seen{}
		}
		if ok, err = s.reader.Exists(ctx, d); err != nil || !ok {
			return Seen{Err: err}
		}
		return Seen{Digest: d.Digest, MediaType: d.MediaType}
	}
	if known, ok := ob.there[p.Place]; ok && !known[p.Name] {
		return Seen{}
	}
	return head(ctx, ob.s.Open, p)
}

// An opener is Session.Open or Session.OpenToRead.
type opener func(context.Context, registry.Reference) (*registry.Repository, error)

// head asks a registry what a name stands for; nothing is no error.
func head(ctx context.Context, open opener, p Point) Seen {
	repo, err := open(ctx, p.reference())
	if err != nil {
		return Seen{Err: err}
	}
	d, err := repo.Locate(ctx, p.reference())
	if errors.Is(err, content.ErrNotFound) {
		return Seen{}
	}
	return Seen{Digest: d.Digest, MediaType: d.MediaType, Err: err}
}

// source sees what a source has. With whole its manifest is read at once, since it will
// be copied.
func (ob *observer) source(ctx context.Context, key sourceKey, whole bool) Seen {
	var d content.Descriptor
	p := key.Point
	if ob.lock != nil {
		locked, ok := ob.lock.find(p.String())
		if !ok {
			return Seen{Err: content.At(p.String(), content.Errorf(content.ErrNotFound, "it is not in the lock file"))}
		}
		d.Digest, d.MediaType = locked.Digest, locked.MediaType
		p.Digest = locked.Digest
	}
	if p.Layout != "" {
		return ob.inLayout(ctx, p, key.platform)
	}
	if whole || key.platform != "" && (d.MediaType == "" || content.IsIndex(d.MediaType)) {
		found, err := ob.get(ctx, p)
		if err != nil {
			return Seen{Err: err}
		}
		d = found.Descriptor
		if key.platform != "" && content.IsIndex(d.MediaType) {
			return child(ctx, p, found, d, key.platform)
		}
	} else if d.Digest == "" {
		return head(ctx, ob.s.OpenToRead, p)
	}
	return Seen{Digest: d.Digest, MediaType: d.MediaType}
}

// child picks the image of a platform.
func child(ctx context.Context, p Point, f content.Fetcher, d content.Descriptor, platform string) Seen {
	want, err := content.ParsePlatform(platform)
	if err != nil {
		return Seen{Err: err}
	}
	picked, err := content.SelectPlatform(ctx, f, d, want, content.Limits{}.WithDefaults())
	if err != nil {
		return Seen{Err: content.At(p.String(), err)}
	}
	return Seen{Digest: d.Digest, MediaType: d.MediaType, Child: picked.Digest}
}

func (ob *observer) inLayout(ctx context.Context, p Point, platform string) Seen {
	s, err := ob.shelf(ctx, p.Layout)
	if err != nil {
		return Seen{Err: err}
	}
	var d content.Descriptor
	if p.Digest == "" {
		_, d, err = s.find(p)
	} else if err = s.present(p.Layout); err == nil {
		d, err = s.reader.Locate(ctx, p.inLayout())
		err = content.At(p.Layout, err)
	}
	if err != nil {
		return Seen{Err: err}
	}
	if platform != "" && content.IsIndex(d.MediaType) {
		return child(ctx, p, s.reader, d, platform)
	}
	return Seen{Digest: d.Digest, MediaType: d.MediaType}
}
