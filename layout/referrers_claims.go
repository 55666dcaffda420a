package layout

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// Annotations of entries that lead to an index of referrers: image-spec's proposal,
// and olareg's before it.
const (
	annotationListed       = "org.opencontainers.image.referrer.subject"
	annotationOlaregListed = "org.olareg.referrer.subject"
)

// listedSubject is the digest whose referrers an entry's manifest lists; "" if it
// says nothing of that.
func listedSubject(annotations map[string]string) string {
	return cmp.Or(annotations[annotationListed], annotations[annotationOlaregListed])
}

// claimed is everything that is said to belong to one subject, and by whom.
type claimed struct {
	own       []catalog.Ref // manifests whose subject it is
	annotated []catalog.Ref
	lists     []claimedList
	cosign    []catalog.Ref
	buildkit  []catalog.Attestation
}

// claimedList is an index of referrers.
type claimedList struct {
	catalog.Ref
	form     catalog.Form
	children []claimedChild
}

type claimedChild struct {
	catalog.Child
	there bool // it could be read
}

// gather asks for all claims about a subject.
func (a *asker) gather(ctx context.Context, subject content.Digest, legacy bool) (c claimed, err error) {
	facts, err := a.facts(ctx)
	if err != nil {
		return c, err
	}
	tag := FallbackTag(subject)
	if c.own, err = facts.Referrers(subject); err != nil {
		return c, err
	}
	if c.annotated, err = facts.Claims(catalog.Annotated, string(subject)); err != nil {
		return c, err
	}
	for form, about := range map[catalog.Form]string{catalog.Fallback: tag, catalog.Listed: string(subject)} {
		lists, err := facts.Claims(form, about)
		if err != nil {
			return c, err
		}
		for _, ref := range lists {
			list := claimedList{Ref: ref, form: form}
			if list.children, err = children(facts, ref); err != nil {
				return c, err
			}
			c.lists = append(c.lists, list)
		}
	}
	if !legacy {
		return c, nil
	}
	if c.cosign, err = facts.Claims(catalog.Cosign, tag); err != nil {
		return c, err
	}
	c.buildkit, err = facts.Attestations(subject)
	return c, err
}

func children(facts catalog.Facts, list catalog.Ref) ([]claimedChild, error) {
	listed, err := facts.Children(list.Digest)
	if err != nil {
		return nil, err
	}
	all := make([]claimedChild, 0, len(listed))
	for _, child := range listed {
		ref, there, err := facts.Manifest(child.Digest)
		if err != nil {
			return nil, err
		}
		if there {
			child.Ref = ref // the list may lie about size and type
		}
		all = append(all, claimedChild{child, there})
	}
	return all, nil
}

// referrers lists what belongs to a subject, by digest, proven.
func (a *asker) referrers(ctx context.Context, subject content.Digest, legacy bool) ([]Referrer, error) {
	c, err := a.gather(ctx, subject, legacy)
	if errors.Is(err, catalog.ErrDamaged) {
		err = a.withoutCatalog(ctx)
		if err == nil {
			c, err = a.gather(ctx, subject, legacy)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(c.own) > fewManifests {
		a.close() // reading them takes a while
	}
	j := judge{src: a.r.crawled(), subject: subject, found: map[content.Digest]Referrer{}}
	if err := j.ownSubjects(ctx, c.own); err != nil {
		return nil, err
	}
	if err := j.annotated(ctx, c.annotated); err != nil {
		return nil, err
	}
	for _, list := range c.lists {
		if err := j.list(ctx, list); err != nil {
			return nil, err
		}
	}
	if err := j.legacy(ctx, c); err != nil {
		return nil, err
	}
	j.warn()
	found := make([]Referrer, 0, len(j.found))
	for _, ref := range j.found {
		found = append(found, ref)
	}
	slices.SortFunc(found, func(a, b Referrer) int { return cmp.Compare(a.Digest, b.Digest) })
	return found, nil
}

// withoutCatalog goes on without a catalog that turned out to be damaged. It is
// built again by whoever asks next.
func (a *asker) withoutCatalog(ctx context.Context) error {
	a.close()
	a.r.catalog().Discard()
	_, err := a.compute(ctx, 0)
	return err
}

// readIfThere reads a manifest that is said to be there; ok is false if it can't be
// read, which is no error.
func (c crawled) readIfThere(ctx context.Context, ref catalog.Ref) (m content.Manifest, ok bool, err error) {
	if ref.MediaType == "" {
		return m, false, nil
	}
	m, err = c.Manifest(ctx, ref, content.IsIndex(ref.MediaType)) // an index may be a list of referrers
	if errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrCorrupt) || errors.Is(err, content.ErrRefused) {
		return m, false, nil
	}
	return m, err == nil, err
}

// judge decides which claims about a subject hold.
type judge struct {
	src     crawled
	subject content.Digest
	found   map[content.Digest]Referrer
	notes   []note
}

// asReferrer is d as a registry's referrers API would send it.
func asReferrer(d content.Descriptor, m content.Manifest) content.Descriptor {
	return content.Descriptor{
		MediaType: d.MediaType, Digest: d.Digest, Size: d.Size,
		ArtifactType: m.EffectiveArtifactType(), Annotations: m.Annotations,
	}
}

func (j *judge) accept(ref catalog.Ref, m content.Manifest, origin Origin) {
	if _, known := j.found[ref.Digest]; known {
		return
	}
	j.found[ref.Digest] = Referrer{asReferrer(ref.Descriptor(), m), origin, j.subject}
}

// names says whether a manifest has the subject as its own.
func (j *judge) names(m content.Manifest) bool {
	return m.Subject != nil && m.Subject.Digest == j.subject
}

// ownSubjects reads what is said to have the subject, and takes what has.
func (j *judge) ownSubjects(ctx context.Context, refs []catalog.Ref) error {
	manifests := make([]content.Manifest, len(refs))
	there := make([]bool, len(refs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	read := func(i int) (err error) {
		manifests[i], there[i], err = j.src.readIfThere(ctx, refs[i])
		return err
	}
	for i := range refs {
		if len(refs) > 32 {
			group.Go(func() error { return read(i) })
		} else if err := read(i); err != nil {
			return err
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, ref := range refs {
		switch {
		case !there[i]:
			j.note(noteAbsent, "index.json", ref.Digest)
		case !j.names(manifests[i]):
		case content.IsRetired(ref.MediaType):
			j.accept(ref, manifests[i], OriginRetired)
		default:
			j.accept(ref, manifests[i], OriginSubject)
		}
	}
	return nil
}

// annotated takes what entries of index.json say to belong to the subject.
func (j *judge) annotated(ctx context.Context, refs []catalog.Ref) error {
	for _, ref := range refs {
		if err := j.unbound(ctx, ref, content.AnnotationSubject); err != nil {
			return err
		}
	}
	return nil
}

// unbound takes a manifest which somebody says to belong to the subject, if it is
// not known yet.
func (j *judge) unbound(ctx context.Context, ref catalog.Ref, by string) error {
	if _, known := j.found[ref.Digest]; known {
		return nil
	}
	if ref.Digest == j.subject {
		j.note(noteItself, by, ref.Digest)
		return nil
	}
	m, ok, err := j.src.readIfThere(ctx, ref)
	switch {
	case err != nil:
		return err
	case !ok:
		j.note(noteAbsent, by, ref.Digest)
	case j.names(m):
		j.accept(ref, m, OriginSubject)
	default:
		j.note(noteUnbound, by, ref.Digest)
		j.accept(ref, m, OriginUnbound)
	}
	return nil
}

// list compares a list of referrers with what the manifests themselves say.
func (j *judge) list(ctx context.Context, list claimedList) error {
	by := "the list of referrers " + content.Short(list.Digest)
	if list.MediaType == "" {
		j.note(noteAbsent, "index.json", list.Digest)
		return nil
	}
	if !content.IsIndex(list.MediaType) {
		j.note(noteNoList, by, list.Digest)
		return nil
	}
	seen := map[content.Digest]bool{}
	for _, child := range list.children {
		answer, known := j.found[child.Digest]
		switch {
		case seen[child.Digest]:
			j.note(noteTwice, by, child.Digest)
		case child.Digest == j.subject, child.Digest == list.Digest:
			j.note(noteItself, by, child.Digest)
		case known && answer.Origin.Bound():
			if child.ArtifactType != "" && child.ArtifactType != answer.ArtifactType {
				j.note(noteType, by, child.Digest)
			}
		case !child.there:
			j.note(noteAbsent, by, child.Digest)
		case list.form == catalog.Listed:
			if err := j.unbound(ctx, child.Ref, by); err != nil {
				return err
			}
		default:
			j.note(noteOther, by, child.Digest)
		}
		seen[child.Digest] = true
	}
	return nil
}

// legacy takes what cosign and BuildKit made.
func (j *judge) legacy(ctx context.Context, c claimed) error {
	for _, ref := range c.cosign {
		m, ok, err := j.src.readIfThere(ctx, ref)
		if err != nil {
			return err
		}
		if ok {
			j.acceptLegacy(ref, m, OriginCosign)
		} else {
			j.note(noteAbsent, "a tag of cosign's", ref.Digest)
		}
	}
	for _, a := range c.buildkit {
		index, ok, err := j.src.readIfThere(ctx, a.Index)
		if err != nil {
			return err
		}
		if !ok || !slices.ContainsFunc(index.Manifests, func(d content.Descriptor) bool {
			return d.Digest == a.Digest && content.IsAttestation(d) && attests(d) == j.subject
		}) {
			continue
		}
		m, ok, err := j.src.readIfThere(ctx, a.Ref)
		if err != nil {
			return err
		}
		if ok {
			j.acceptLegacy(a.Ref, m, OriginBuildKit)
		}
	}
	return nil
}

// attests is what a child of an index says to be an attestation of.
func attests(d content.Descriptor) content.Digest {
	return content.Digest(d.Annotations[content.AnnotationReferenceDigest])
}

func (j *judge) acceptLegacy(ref catalog.Ref, m content.Manifest, origin Origin) {
	if _, known := j.found[ref.Digest]; known || ref.Digest == j.subject {
		return
	}
	d := asReferrer(ref.Descriptor(), m)
	if t := TypeOfContent(m); t != "" {
		d.ArtifactType = t
	}
	j.found[ref.Digest] = Referrer{d, origin, j.subject}
}

// TypeOfContent says what is in a manifest of cosign's or BuildKit's: the type of
// predicate of an attestation, else its first layer's media type.
func TypeOfContent(m content.Manifest) string {
	if len(m.Layers) == 0 {
		return ""
	}
	first := m.Layers[0]
	return cmp.Or(first.Annotations["in-toto.io/predicate-type"], first.Annotations["predicateType"], first.MediaType)
}
