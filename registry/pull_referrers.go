package registry

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A question is what a repository is asked for the referrers of.
type question struct {
	in      *reach
	subject content.Digest
}

// referrers brings what refers to what was brought, what refers to that, and so on.
func (p *puller) referrers(ctx context.Context) error {
	asked, listed := map[question]bool{}, map[[2]content.Digest]bool{}
	for {
		open := p.questions(asked)
		if len(open) == 0 {
			return nil
		}
		for some := range slices.Chunk(open, maxTogether) {
			if err := p.answer(ctx, some, listed); err != nil {
				return err
			}
			p.src.forget()
		}
	}
}

// questions lists those that were not asked: every manifest that was brought, in each
// repository that has it.
func (p *puller) questions(asked map[question]bool) []question {
	var open []question
	for _, r := range p.repos {
		for _, subject := range slices.Sorted(maps.Keys(p.src.below(r.roots, p.seen))) {
			if p.narrower != nil && p.narrower.Made(subject) != nil {
				continue // nobody knows of it
			}
			if q := (question{r, subject}); !asked[q] {
				asked[q] = true
				open = append(open, q)
			}
		}
	}
	return open
}

// answer asks, and brings what is listed and is what it is said to be.
func (p *puller) answer(ctx context.Context, questions []question, listed map[[2]content.Digest]bool) error {
	answers, err := p.ask(ctx, questions, listed)
	if err != nil {
		return err
	}
	var all []content.Descriptor
	for i, q := range questions {
		for _, d := range answers[i] {
			p.src.at(d.Digest, q.in.repo)
		}
		if err := p.allowed.more(fresh(q.subject, answers[i], listed)); err != nil {
			return q.in.repo.at(q.subject.String(), err)
		}
		all = append(all, answers[i]...)
	}
	if p.src.manifests()+len(all) > p.src.limits.Nodes {
		return content.At(questions[0].in.repo.ref.Name(), content.Errorf(content.ErrRefused, "there are too many referrers"))
	}
	if err := p.readAll(ctx, all); err != nil {
		return err
	}
	all = all[:0]
	for i, q := range questions {
		var own []content.Descriptor
		for _, d := range answers[i] {
			m, ok, err := q.in.repo.isReferrer(ctx, p.src, d, q.subject)
			if err != nil {
				return p.where(err)
			}
			if !ok || !p.allowed.kind(m.EffectiveArtifactType()) {
				continue
			}
			q.in.roots = append(q.in.roots, d.Digest)
			if pair := [2]content.Digest{q.subject, d.Digest}; !listed[pair] {
				listed[pair] = true
				own = append(own, d)
				b := Brought{Digest: d.Digest, ArtifactType: m.EffectiveArtifactType(), Subject: q.subject}
				if err := p.admit(ctx, b, d); err != nil {
					return q.in.repo.at(q.subject.String(), err)
				}
			}
		}
		if len(own) > 0 {
			p.lists = append(p.lists, list{q.subject, own})
			p.report.Referrers += len(own)
			all = append(all, own...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return p.bring(ctx, all...)
}

// ask asks the questions. Where a registry lacks the referrers API its tags say which
// lists there are.
func (p *puller) ask(ctx context.Context, questions []question, listed map[[2]content.Digest]bool) ([][]content.Descriptor, error) {
	answers := make([][]content.Descriptor, len(questions))
	var first []int // of each repository that was not asked yet
	for i, q := range questions {
		if !q.in.probed {
			q.in.probed = true
			first = append(first, i)
		}
	}
	var total atomic.Int64
	take := func(i int, list []content.Descriptor, err error) error {
		if err != nil {
			return err
		}
		answers[i] = p.allowed.fit(p.o.Pick(list))
		// Each repository lists a referrer once, so that there are at least this many new ones.
		sum := total.Add(int64(fresh(questions[i].subject, answers[i], listed)))
		return questions[i].in.repo.at(questions[i].subject.String(), p.allowed.more(int(sum)/len(p.repos)))
	}
	answered := map[int]bool{}
	for _, i := range first {
		answered[i] = !questions[i].in.repo.lacks.Load()
	}
	err := each(ctx, len(first), func(ctx context.Context, i int) error {
		q := questions[first[i]]
		if answered[first[i]] {
			list, err := q.in.repo.referrers(ctx, q.subject)
			if err := take(first[i], list, err); err != nil {
				return err
			}
		}
		// Where the tags are wanted anyway, or are fewer requests than the lists.
		if q.in.repo.lacks.Load() && (!p.o.NoCosign || len(questions) > askers) {
			return q.in.list(ctx)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, each(ctx, len(questions), func(ctx context.Context, i int) error {
		q := questions[i]
		known := q.in.listed && q.in.refused == nil && q.in.repo.lacks.Load()
		if answered[i] || known && !q.in.tags[layout.FallbackTag(q.subject)] {
			return nil
		}
		list, err := q.in.repo.referrers(ctx, q.subject)
		return take(i, list, err)
	})
}

// fresh counts what was not listed before as a subject's referrer.
func fresh(subject content.Digest, list []content.Descriptor, listed map[[2]content.Digest]bool) (n int) {
	for _, d := range list {
		if !listed[[2]content.Digest{subject, d.Digest}] {
			n++
		}
	}
	return n
}

// cosigned brings what cosign made for any manifest that came.
func (p *puller) cosigned(ctx context.Context) error {
	err := each(ctx, len(p.repos), func(ctx context.Context, i int) error { return p.repos[i].list(ctx) })
	if err != nil {
		return err
	}
	var tasks []task
	subjects := map[string]content.Digest{} // by fallback tag
	for _, r := range p.repos {
		if r.refused != nil {
			r.repo.c.o.Warn(content.At(r.repo.ref.Name(), content.Errorf(ErrDenied, "its tags can't be listed, so what cosign signed under tags stays behind: %w", r.refused)))
		}
		bases := map[string]bool{}
		for d := range p.src.below(r.roots, p.seen) {
			tag := layout.FallbackTag(d)
			bases[tag], subjects[tag] = true, d
		}
		for _, tag := range slices.Sorted(maps.Keys(r.tags)) {
			base, _, _ := strings.Cut(tag, ".")
			if !bases[base] || !(layout.Summary{Name: tag}).IsCosignTag() {
				continue
			}
			from, err := r.repo.ref.WithTag(tag)
			if err != nil {
				return err
			}
			tasks = append(tasks, task{repo: r, from: from, name: tag})
		}
	}
	first := map[string]*Found{} // by tag: of an image that is in several repositories
	p.cosign, err = p.take(ctx, tasks, func(t task, f *Found) (bool, error) {
		if other := first[t.name]; other != nil && other.Digest == f.Digest {
			return false, nil
		} else if other != nil {
			return false, content.Errorf(content.ErrAmbiguous, "cosign signed otherwise in %s than in %s, and a layout has room for one of them: pull to two", f.from.Name(), other.from)
		}
		first[t.name] = f
		m, err := content.ParseManifest(f.MediaType, f.Bytes)
		if err != nil {
			return false, t.repo.repo.at(t.name, err)
		}
		kind := cmp.Or(layout.TypeOfContent(m), m.EffectiveArtifactType())
		if !p.allowed.kind(kind) {
			return false, nil
		}
		base, _, _ := strings.Cut(t.name, ".")
		b := Brought{Digest: f.Digest, ArtifactType: kind, Subject: subjects[base], Tag: t.name}
		return true, t.repo.repo.at(b.Subject.String(), p.admit(ctx, b, f.Descriptor))
	})
	p.report.Referrers += len(p.cosign)
	return err
}

// list lists the tags of a repository, unless that was done. A registry may refuse it.
func (r *reach) list(ctx context.Context) error {
	if r.listed {
		return nil
	}
	tags, err := r.repo.Tags(ctx)
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrUnauthorized) || errors.Is(err, content.ErrNotFound) {
		r.listed, r.refused = true, err
		return nil
	}
	if err == nil {
		r.keep(tags)
	}
	return err
}

// keep notes the tags, of those that people give none.
func (r *reach) keep(tags []string) {
	r.listed, r.tags = true, map[string]bool{}
	for _, tag := range tags {
		if layout.IsReferrerTag(tag) {
			r.tags[tag] = true
		}
	}
}

// each calls fn with the numbers below n, several at once, until one fails.
func each(ctx context.Context, n int, fn func(ctx context.Context, i int) error) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(askers)
	for i := 0; i < n && inner.Err() == nil; i++ {
		g.Go(func() error { return fn(inner, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}
