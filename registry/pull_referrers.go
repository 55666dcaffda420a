package registry

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

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
	answers := make([][]content.Descriptor, len(questions))
	err := each(ctx, len(questions), func(ctx context.Context, i int) (err error) {
		answers[i], err = questions[i].in.repo.referrers(ctx, questions[i].subject)
		return err
	})
	if err != nil {
		return err
	}
	var all []content.Descriptor
	for i, q := range questions {
		answers[i] = slices.DeleteFunc(answers[i], func(d content.Descriptor) bool {
			return d.ArtifactType != "" && !p.allowed.kind(d.ArtifactType)
		})
		fresh := 0
		for _, d := range answers[i] {
			p.src.at(d.Digest, q.in.repo)
			if !listed[[2]content.Digest{q.subject, d.Digest}] {
				fresh++
			}
		}
		if err := p.allowed.more(fresh); err != nil {
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

// cosigned brings what cosign made for any manifest that came.
func (p *puller) cosigned(ctx context.Context) error {
	refused := make([]error, len(p.repos))
	err := each(ctx, len(p.repos), func(ctx context.Context, i int) (err error) {
		refused[i], err = p.repos[i].list(ctx)
		return err
	})
	if err != nil {
		return err
	}
	var tasks []task
	subjects := map[string]content.Digest{} // by fallback tag
	for i, r := range p.repos {
		if refused[i] != nil {
			r.repo.c.o.Warn(content.At(r.repo.ref.Name(), content.Errorf(ErrDenied, "its tags can't be listed, so what cosign signed under tags stays behind: %w", refused[i])))
		}
		bases := map[string]bool{}
		for d := range p.src.below(r.roots, p.seen) {
			tag := layout.FallbackTag(d)
			bases[tag], subjects[tag] = true, d
		}
		for _, tag := range r.tags {
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
	p.cosign, err = p.take(ctx, tasks, func(t task, f *Found) (bool, error) {
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
func (r *reach) list(ctx context.Context) (refused, err error) {
	if r.tags != nil {
		return nil, nil
	}
	r.tags, err = r.repo.Tags(ctx)
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrUnauthorized) || errors.Is(err, content.ErrNotFound) {
		return err, nil
	}
	return nil, err
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
