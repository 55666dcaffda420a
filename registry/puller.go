package registry

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

const (
	// askers is how many manifests, or lists, are asked for at once.
	askers = 2 * workers
	// maxTogether is the most images that are taken together.
	maxTogether = 256
)

type puller struct {
	dst   *layout.Layout
	o     PullOptions
	batch *layout.Batch
	src   *pullSource

	seen    map[content.Digest]bool  // everything that was brought
	repos   []*reach                 // in the order in which they were met
	images  []layout.Entry           // by want; the zero Entry for what another want brings in
	moved   map[content.Digest]int64 // sizes of what was fetched, of the images that are taken now
	shares  []int64                  // of the images
	cosign  []layout.Entry           // what cosign made
	lists   []list
	allowed *allowance
	report  PullReport
	left    map[content.Digest]int64 // sizes of layers that are not fetched; nil if all are

	narrower *layout.Narrower // if indexes are narrowed
	narrowed []*Repository    // of each of the report's narrowed indexes
}

// A reach is what was wanted of a repository, and what refers to it.
type reach struct {
	repo  *Repository
	roots []content.Digest

	probed  bool // whether it has the referrers API is known
	listed  bool // tags were asked for
	tags    map[string]bool
	refused error // why there is no list of them
}

// A list is what refers to one subject.
type list struct {
	subject   content.Digest
	artifacts []content.Descriptor
}

func newPuller(dst *layout.Layout, o PullOptions) *puller {
	p := &puller{dst: dst, o: o, batch: dst.Batch(), seen: map[content.Digest]bool{}, moved: map[content.Digest]int64{}}
	p.allowed = newAllowance(o.ReferrerTypes, o.MaxReferrers, o.MaxReferrerBytes)
	p.src = newPullSource(p.batch, dst.Limits())
	p.report.Changes, p.report.Images = []layout.Change{}, []Pulled{}
	return p
}

func (p *puller) run(ctx context.Context, s *Session, wants []Want) (report PullReport, err error) {
	defer func() { err = errors.Join(err, p.batch.Close()) }()
	if err := p.gather(ctx, s, wants); err != nil {
		return p.report, err
	}
	if err := p.batch.Publish(ctx); err != nil {
		return p.report, err
	}
	err = p.dst.Update(ctx, func(tx *layout.Tx) error { return p.commit(ctx, tx) })
	return p.report, content.At(p.dst.Path(), err)
}

// gather stages the images and what belongs to them.
func (p *puller) gather(ctx context.Context, s *Session, wants []Want) error {
	todo, err := p.todo(ctx, s, wants)
	if err != nil {
		return err
	}
	if p.images, err = p.take(ctx, todo, nil); err != nil {
		return err
	}
	if err := p.name(todo); err != nil || p.o.NoReferrers {
		return err
	}
	if !p.o.NoSubjects {
		if err := p.referrers(ctx); err != nil {
			return err
		}
	}
	if !p.o.NoCosign {
		if err := p.cosigned(ctx); err != nil {
			return err
		}
	}
	return p.countLeft(ctx)
}

// A task is one manifest that is wanted.
type task struct {
	repo  *reach
	from  Reference
	name  string // of the entry
	found *Found // if it is known
}

// todo makes tasks of what is wanted.
func (p *puller) todo(ctx context.Context, s *Session, wants []Want) ([]task, error) {
	if p.o.Name != "" && len(wants) != 1 {
		return nil, content.Errorf(content.ErrInvalid, "%d images can't all be called %q", len(wants), p.o.Name)
	}
	repos := map[*Repository]*reach{}
	tasks := make([]task, 0, len(wants))
	for _, w := range wants {
		t := task{from: w.From.OrLatest(), name: w.Name, found: w.Found}
		var repo *Repository
		if t.found != nil {
			t.from, repo = t.found.from, t.found.repo
		} else {
			var err error
			if repo, err = s.OpenToRead(ctx, t.from); err != nil {
				return nil, err
			}
		}
		if t.name == "" {
			t.name = p.o.Name
		}
		if t.name != "" {
			if err := layout.CheckName(t.name); err != nil {
				return nil, err
			}
		} else if t.from.Tag != "" {
			t.name = t.from.Name() + ":" + t.from.Tag
		}
		if repos[repo] == nil {
			repos[repo] = &reach{repo: repo}
			p.repos = append(p.repos, repos[repo])
		}
		t.repo = repos[repo]
		if w.tags != nil && !t.repo.listed {
			t.repo.keep(w.tags)
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// take brings manifests with all below them, and makes their entries. choose, if not nil,
// says which of those that were found.
func (p *puller) take(ctx context.Context, tasks []task, choose func(task, *Found) (bool, error)) ([]layout.Entry, error) {
	entries := make([]layout.Entry, 0, len(tasks))
	for len(tasks) > 0 {
		found, err := p.find(ctx, tasks)
		if err != nil {
			return nil, err
		}
		var roots []content.Descriptor
		var names []string
		var kept []*Found
		var homes []*reach
		for i, f := range found {
			p.src.add(f)
			if choose != nil {
				if ok, err := choose(tasks[i], f); err != nil {
					return nil, err
				} else if !ok {
					continue
				}
			}
			kept, roots, names, homes = append(kept, f), append(roots, f.Descriptor), append(names, tasks[i].name), append(homes, tasks[i].repo)
		}
		if choose == nil { // these are images
			if err := p.narrow(ctx, kept, roots); err != nil {
				return nil, err
			}
		}
		for i, d := range roots {
			homes[i].roots = append(homes[i].roots, d.Digest)
		}
		if err := p.bring(ctx, roots...); err != nil {
			return nil, err
		}
		if choose == nil {
			shares, err := layout.Shares(ctx, p.src, roots, p.moved, p.src.limits)
			if err != nil {
				return nil, p.where(err)
			}
			p.shares = append(p.shares, shares...)
		}
		clear(p.moved)
		for i, d := range roots {
			e, err := p.entry(ctx, d, names[i])
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
		p.src.forget()
		tasks = tasks[len(found):]
	}
	return entries, nil
}

// find reads the manifests of as many tasks as are taken together, at least one.
func (p *puller) find(ctx context.Context, tasks []task) ([]*Found, error) {
	found := make([]*Found, min(len(tasks), maxTogether))
	var size atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askers)
	n := 0
	for ; n < len(found) && size.Load() < keptManifests; n++ {
		t, at := tasks[n], &found[n]
		g.Go(func() (err error) {
			if *at = t.found; *at == nil {
				*at, err = t.repo.repo.find(ctx, t.from)
			}
			if err == nil {
				size.Add(int64(len((*at).Bytes)))
			}
			return err
		})
	}
	return found[:n], g.Wait()
}

// entry makes the entry for a manifest that was brought.
func (p *puller) entry(ctx context.Context, d content.Descriptor, name string) (layout.Entry, error) {
	m, _, err := content.FetchManifest(ctx, p.src, d, p.src.limits)
	if err != nil {
		return layout.Entry{}, err
	}
	if !content.IsIndex(d.MediaType) && !m.IsImage() || m.ArtifactType != "" {
		d.ArtifactType = m.EffectiveArtifactType()
	}
	if m.IsImage() {
		if d.Platform, err = content.PlatformOf(ctx, p.src, d, p.src.limits); err != nil {
			return layout.Entry{}, err
		}
	}
	e := layout.NewEntry(d)
	if name != "" {
		e = e.WithName(name)
	}
	return e, nil
}

// workers is how many blobs are moved at once: more where there are many images, which
// have many small blobs, and as few as the host wants that wants the fewest.
func (p *puller) workers(images int) int {
	n := min(max(workers, images), askers)
	for _, r := range p.repos {
		if most := r.repo.c.o.Concurrent; most > 0 {
			n = min(n, most)
		}
	}
	return n
}

// fetched notes what was.
func (p *puller) fetched(d content.Descriptor) { p.moved[d.Digest] = d.Size }

// bring stages what roots lead to.
func (p *puller) bring(ctx context.Context, roots ...content.Descriptor) error {
	if err := p.fetchAhead(ctx, roots); err != nil {
		return err
	}
	done, err := layout.CopyGraph(ctx, p.batch, p.src, roots, layout.CopyOptions{Platforms: p.o.Platforms, Seen: p.seen, Workers: p.workers(len(roots)), Leave: p.late(), BySize: !p.o.VerifyExisting, Copied: p.fetched})
	p.report.Add(done)
	return p.where(err)
}

// fetchAhead reads the manifests of indexes, several at once, as far as memory goes: the
// walk, which reads one after the other, then has them.
func (p *puller) fetchAhead(ctx context.Context, level []content.Descriptor) error {
	met := map[content.Digest]bool{}
	for depth := 0; len(level) > 0 && depth <= p.src.limits.Depth; depth++ {
		var children []content.Descriptor
		for _, d := range level {
			if !content.IsIndex(d.MediaType) || p.seen[d.Digest] || met[d.Digest] {
				continue
			}
			met[d.Digest] = true
			m, _, err := content.FetchManifest(ctx, p.src, d, p.src.limits)
			if errors.Is(err, content.ErrNotFound) {
				continue // as the walk will find, too
			}
			if err != nil {
				return p.where(err)
			}
			for _, child := range m.Manifests {
				unsure := len(p.o.Platforms) > 0 && child.Platform == nil && !content.IsAttestation(child)
				if content.HasEdges(child.MediaType) && !unsure && layout.WantsChild(ctx, p.src, m, child, p.o.Platforms, p.src.limits) {
					children = append(children, child)
				}
			}
		}
		if err := p.readAll(ctx, children); err != nil {
			return err
		}
		level = children
	}
	return nil
}

// readAll reads manifests, several at once, as far as memory goes.
func (p *puller) readAll(ctx context.Context, manifests []content.Descriptor) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askers)
	asked := map[content.Digest]bool{}
	for _, d := range manifests {
		if p.seen[d.Digest] || asked[d.Digest] {
			continue
		}
		if p.src.full() {
			break
		}
		asked[d.Digest] = true
		g.Go(func() error {
			_, err := p.src.manifest(ctx, d)
			if errors.Is(err, content.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	return p.where(g.Wait())
}

// where says of an error in which repository it was, if it does not say so itself.
func (p *puller) where(err error) error {
	var e *content.Error
	for next := err; errors.As(next, &e); next = e.Err {
		if e.Path != "" {
			return err
		}
		if repo, none := p.src.home(content.Digest(e.Digest)); none == nil {
			return content.At(repo.ref.Name(), err)
		}
	}
	return err
}

// name looks whether the images can have their names. What several wants mean alike is
// brought in once.
func (p *puller) name(tasks []task) error {
	first := map[string]int{}
	for i, e := range p.images {
		p.report.Images = append(p.report.Images, Pulled{From: tasks[i].from.String(), Name: e.Name(), Digest: e.Digest, Bytes: p.shares[i]})
		key := e.Name()
		if key == "" {
			key = e.Digest.String()
		}
		other, taken := first[key]
		switch {
		case !taken:
			first[key] = i
		case p.report.Images[other].Digest != e.Digest:
			return content.Errorf(content.ErrAmbiguous, "two images would be called %s: %s and %s", key, tasks[other].from, tasks[i].from)
		default:
			p.images[i] = layout.Entry{}
		}
	}
	if len(p.images) == 1 {
		p.report.Digest = p.images[0].Digest
	}
	return nil
}

// commit brings in the entries and the lists of referrers.
func (p *puller) commit(ctx context.Context, tx *layout.Tx) error {
	p.report.Changes = []layout.Change{}
	became := map[string]layout.Change{}
	for _, e := range append(p.images[:len(p.images):len(p.images)], p.cosign...) {
		if e.Digest == "" {
			continue
		}
		change, err := tx.Bring(e, p.o.Policy)
		if err != nil {
			return err
		}
		if change.Name != "" {
			p.report.Changes = append(p.report.Changes, change)
			became[change.Name] = change
		}
	}
	for i := range p.report.Images {
		image := &p.report.Images[i]
		if change, ok := became[image.Name]; ok {
			image.Old, image.Skipped = change.Old, change.Skipped
		}
	}
	for _, l := range p.lists {
		if err := tx.AddReferrer(ctx, p.batch, content.Descriptor{Digest: l.subject}, l.artifacts...); err != nil {
			return err
		}
	}
	return nil
}
