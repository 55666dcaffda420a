package layout

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// Origin says how a referrer was found to be one.
type Origin string

// The origins, in the order in which they are preferred where several hold.
const (
	OriginSubject  Origin = "subject"  // its own subject
	OriginRetired  Origin = "retired"  // the same, in an artifact manifest of OCI or ORAS before 1.1
	OriginUnbound  Origin = "unbound"  // an annotation of index.json says so, its own subject does not
	OriginCosign   Origin = "cosign"   // a tag that cosign made
	OriginBuildKit Origin = "buildkit" // a child of an index that BuildKit made
)

// Bound says whether the referrer's own bytes name the subject: only such ones are
// referrers to a registry.
func (o Origin) Bound() bool { return o == OriginSubject || o == OriginRetired }

// A Referrer is what belongs to something else. The descriptor is as a registry's
// referrers API would send it (distribution-spec, "Listing Referrers"):
// artifactType and annotations are the manifest's own. Of cosign's and BuildKit's,
// artifactType is the type of what is in them.
type Referrer struct {
	content.Descriptor
	Origin  Origin
	Subject content.Digest
}

// A ReferrerQuery says which referrers are wanted. Only Subject is needed, and of
// it only the digest; it need not be in the layout.
type ReferrerQuery struct {
	Subject     content.Descriptor
	Type        string            // of the artifact; "" is any
	Annotations map[string]string // that the manifest has, with these values
	Legacy      bool              // also what cosign and BuildKit made
	Recursive   bool              // also referrers of referrers, whether those fit or not
}

func (q ReferrerQuery) fits(d content.Descriptor) bool {
	if q.Type != "" && d.ArtifactType != q.Type {
		return false
	}
	for key, value := range q.Annotations {
		if have, ok := d.Annotations[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// FindReferrers lists what belongs to a subject, each manifest once: first its own
// referrers by digest, then theirs. Every answer was read just now and is what it is
// said to be. What lists and annotations claim besides is left out with a warning.
func (r *Reader) FindReferrers(ctx context.Context, q ReferrerQuery) ([]Referrer, error) {
	if err := content.CheckDigest(q.Subject.Digest); err != nil {
		return nil, err
	}
	a := r.asker()
	defer a.close()
	var found []Referrer
	seen := map[content.Digest]bool{q.Subject.Digest: true}
	for level := []content.Digest{q.Subject.Digest}; len(level) > 0; {
		var next []content.Digest
		for _, subject := range level {
			list, err := a.referrers(ctx, subject, q.Legacy)
			if err != nil {
				return nil, err
			}
			for _, ref := range list {
				if seen[ref.Digest] {
					continue
				}
				seen[ref.Digest] = true
				next = append(next, ref.Digest)
				if q.fits(ref.Descriptor) {
					found = append(found, ref)
				}
			}
		}
		if !q.Recursive {
			break
		}
		level = next
	}
	return found, nil
}

// Referrers calls fn with what has desc as its subject and, unless artifactType is
// "", that type. It has the form of oras-go's registry.ReferrerLister.
func (r *Reader) Referrers(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error {
	a := r.asker()
	defer a.close()
	return a.list(ctx, desc, artifactType, fn)
}

// list is Referrers.
func (a *asker) list(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error {
	found, err := a.referrers(ctx, desc.Digest, false)
	if err != nil {
		return err
	}
	q := ReferrerQuery{Type: artifactType}
	var bound []content.Descriptor
	for _, ref := range found {
		if ref.Origin.Bound() && q.fits(ref.Descriptor) {
			bound = append(bound, ref.Descriptor)
		}
	}
	if len(bound) == 0 {
		return nil
	}
	return fn(bound)
}

// bound lists what has d as its subject.
func (a *asker) bound(ctx context.Context, d content.Digest) ([]content.Descriptor, error) {
	var found []content.Descriptor
	err := a.list(ctx, content.Descriptor{Digest: d}, "", func(list []content.Descriptor) error {
		found = list
		return nil
	})
	return found, err
}

// withReferrers is r for who asks for the referrers of many manifests, if wanted;
// else it tells of none. The caller calls done.
func (r *Reader) withReferrers(wanted bool) (f content.Fetcher, done func()) {
	if !wanted {
		return struct{ content.Fetcher }{r}, func() {}
	}
	a := r.asker()
	return referrerView{r, a}, a.close
}

type referrerView struct {
	content.Fetcher
	a *asker
}

func (v referrerView) Referrers(ctx context.Context, desc content.Descriptor, artifactType string, fn func([]content.Descriptor) error) error {
	return v.a.list(ctx, desc, artifactType, fn)
}

// Predecessors lists what refers to node directly: indexes that list it, manifests
// that have it as their subject, and those that have it as config, layer or blob,
// sorted by digest. It has the form of oras-go's content.PredecessorFinder. For a
// blob that is no manifest it goes through all that is known.
func (r *Reader) Predecessors(ctx context.Context, node content.Descriptor) ([]content.Descriptor, error) {
	if err := content.CheckDigest(node.Digest); err != nil {
		return nil, err
	}
	a := r.asker()
	defer a.close()
	facts, err := a.facts(ctx)
	if err != nil {
		return nil, err
	}
	refs, err := facts.Parents(node.Digest)
	if err != nil {
		return nil, err
	}
	if !content.HasEdges(node.MediaType) {
		users, err := facts.Users(node.Digest)
		if err != nil {
			return nil, err
		}
		refs = append(refs, users...)
	}
	own, err := facts.Referrers(node.Digest)
	if err != nil {
		return nil, err
	}
	found := map[content.Digest]content.Descriptor{}
	src := r.crawled()
	for _, ref := range append(refs, own...) {
		m, ok, err := src.readIfThere(ctx, ref)
		if err != nil {
			return nil, err
		}
		if ok && slices.ContainsFunc(m.Edges(), func(e content.Edge) bool { return e.To.Digest == node.Digest }) {
			found[ref.Digest] = asReferrer(ref.Descriptor(), m)
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b content.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) }), nil
}

// FallbackTag is the name under which an index lists the referrers of d: the
// algorithm cut to 32 characters, "-", the encoded part cut to 64, other
// characters than those of a tag as "-" (distribution-spec, "Referrers Tag Schema").
func FallbackTag(d content.Digest) string {
	alg, enc, _ := strings.Cut(string(d), ":")
	tag := alg[:min(len(alg), 32)] + "-" + enc[:min(len(enc), 64)]
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, tag)
}

// cosignBase is the tag in the name of an entry that cosign made, without its
// suffix; "" if cosign did not make it. It is the fallback tag of what the entry is
// about.
func cosignBase(name string) string {
	if !isCosignTag(name) {
		return ""
	}
	tag := name[strings.LastIndexAny(name, ":/")+1:]
	return tag[:strings.IndexByte(tag, '.')]
}

// cosignSubject is the digest in the name of an entry that cosign made; "" if
// cosign did not make it.
func cosignSubject(name string) content.Digest {
	return content.Digest(strings.Replace(cosignBase(name), "-", ":", 1))
}
