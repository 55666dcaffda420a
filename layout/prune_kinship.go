package layout

import (
	"context"
	"errors"
	"iter"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// kinship is who belongs to whom among the entries of index.json.
type kinship struct {
	m       *marker
	members []relative
	known   map[content.Digest]*kin
	byTag   map[string][]int         // followers, by the fallback tag of their subject
	byOwn   map[content.Digest][]int // those that say its digest
}

// kin is what is kept of a manifest.
type kin struct {
	children []content.Digest
	images   []content.Digest // those of them that are no attestations
	subject  content.Digest   // "" for none
	config   *content.Descriptor
	note     string     // when it was made, by its annotation
	made     *time.Time // once somebody asked
}

func newKin(m content.Manifest) *kin {
	k := &kin{note: m.Annotations[ocispec.AnnotationCreated]}
	for _, child := range m.Manifests {
		k.children = append(k.children, child.Digest)
		if !content.IsAttestation(child) {
			k.images = append(k.images, child.Digest)
		}
	}
	if m.Subject != nil {
		k.subject = m.Subject.Digest
	}
	if m.IsImage() {
		k.config = m.Config
	}
	return k
}

func newKinship(r *Reader) *kinship {
	return &kinship{m: newMarker(r), known: map[content.Digest]*kin{}, byTag: map[string][]int{}, byOwn: map[content.Digest][]int{}}
}

// A relative is an entry. One that follows stands for what it is about: it has either
// the fallback tag of its subject, or the digests that it or its manifest names.
type relative struct {
	entry Entry
	tag   string
	about []content.Digest
}

func (r relative) follows() bool { return r.tag != "" || len(r.about) > 0 }

// subject is what a follower is about, as text.
func (r relative) subject() string {
	if r.tag != "" {
		return r.tag
	}
	return r.about[0].String()
}

// read reads every entry, and the manifests that they lead to.
func (k *kinship) read(ctx context.Context, entries iter.Seq2[Entry, error]) error {
	for e, err := range entries {
		if err != nil {
			return err
		}
		limit := k.m.r.o.Limits.Manifest
		if e.Kind() == KindFallback || listedSubject(e.Annotations) != "" {
			limit = k.m.r.o.Limits.Index // one subject may have very many referrers
		}
		if err := k.visit(ctx, e.Descriptor, limit, 0); err != nil {
			return err
		}
		who := k.relative(e)
		if who.tag != "" {
			k.byTag[who.tag] = append(k.byTag[who.tag], len(k.members))
		}
		for _, d := range who.about {
			k.byOwn[d] = append(k.byOwn[d], len(k.members))
		}
		k.members = append(k.members, who)
	}
	return nil
}

// relative says whether an entry follows, and whom.
func (k *kinship) relative(e Entry) relative {
	who := relative{entry: e}
	if e.Kind() == KindFallback {
		who.tag = e.Name()
		return who
	}
	if who.tag = e.CosignBase(); who.tag != "" || e.Name() != "" {
		return who
	}
	if m := k.known[e.Digest]; m != nil && m.subject != "" {
		who.about = append(who.about, m.subject)
	}
	for _, said := range []string{e.Annotations[content.AnnotationSubject], listedSubject(e.Annotations)} {
		if said != "" {
			who.about = append(who.about, content.Digest(said))
		}
	}
	return who
}

// visit reads a manifest and its children.
func (k *kinship) visit(ctx context.Context, d content.Descriptor, limit int64, depth int) error {
	if _, done := k.known[d.Digest]; done || !content.HasEdges(d.MediaType) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if depth > k.m.r.o.Limits.Depth || len(k.known) > k.m.r.o.Limits.Nodes {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "too many manifests, or too deep"))
	}
	m, err := k.m.manifest(ctx, d.Digest, limit)
	if errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrInvalid) {
		m, err = content.Manifest{}, nil
	}
	if err != nil {
		return content.AtDigest(d.Digest, err)
	}
	k.known[d.Digest] = newKin(m)
	for _, child := range m.Manifests {
		if err := k.visit(ctx, child, k.m.r.o.Limits.Manifest, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// chosen asks about the members that do not follow, and gives the reasons by number.
// Of entries that are alike to the byte it asks once.
func (k *kinship) chosen(ctx context.Context, l *Layout, o PruneOptions) ([]string, error) {
	reasons := make([]string, len(k.members))
	if o.Choose == nil {
		return reasons, nil
	}
	var items []Prunable
	numbers := map[string]int{}
	for _, who := range k.members {
		if _, asked := numbers[string(who.entry.Raw)]; asked || who.follows() {
			continue
		}
		p := Prunable{Name: who.entry.Name(), Digest: who.entry.Digest, MediaType: who.entry.MediaType}
		if o.Times {
			p.Created = k.created(ctx, l, who.entry.Digest)
		}
		numbers[string(who.entry.Raw)] = len(items)
		items = append(items, p)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	answers := o.Choose(items)
	for i, who := range k.members {
		if !who.follows() {
			reasons[i] = answers[numbers[string(who.entry.Raw)]]
		}
	}
	return reasons, nil
}

// created is when an image was made, by its config or else its annotation; of an index,
// the newest of its images, or else by its own. Zero if nobody knows.
func (k *kinship) created(ctx context.Context, l *Layout, d content.Digest) time.Time {
	m := k.known[d]
	if m == nil || ctx.Err() != nil {
		return time.Time{}
	}
	if m.made != nil {
		return *m.made
	}
	m.made = &time.Time{}
	for _, child := range m.images {
		if at := k.created(ctx, l, child); at.After(*m.made) {
			*m.made = at
		}
	}
	if m.config != nil {
		config, _, err := content.FetchConfig(ctx, l.Reader, *m.config, l.o.Limits)
		if err == nil && config.Created != nil { // what can't be read has no time
			*m.made = *config.Created
		}
	}
	if m.made.IsZero() {
		*m.made, _ = time.Parse(time.RFC3339, m.note) // zero stands for the error
	}
	return *m.made
}

// alive says which members are led to, by those that do not follow and do not go, and
// by what they lead to in turn; and what is reached so.
func (k *kinship) alive(goes []string) (alive []bool, reached map[content.Digest]bool) {
	alive = make([]bool, len(k.members))
	reached = map[content.Digest]bool{}
	var waiting []content.Digest
	reach := func(d content.Digest) {
		if !reached[d] {
			reached[d] = true
			waiting = append(waiting, d)
		}
	}
	for i, who := range k.members {
		if !who.follows() && (goes == nil || goes[i] == "") {
			alive[i] = true
			reach(who.entry.Digest)
		}
	}
	for len(waiting) > 0 {
		d := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if m := k.known[d]; m != nil {
			for _, child := range m.children {
				reach(child)
			}
		}
		for _, list := range [][]int{k.byOwn[d], k.byTag[FallbackTag(d)]} {
			for _, i := range list {
				alive[i] = true
				reach(k.members[i].entry.Digest)
			}
		}
	}
	return alive, reached
}

// lostWith lists manifests that are not in index.json any more, and of indexes among
// them the children, unless an entry of tx leads there.
func (l *Layout) lostWith(ctx context.Context, tx *Tx, manifests []content.Descriptor) ([]content.Digest, error) {
	k := newKinship(l.Reader)
	if err := k.read(ctx, tx.Entries()); err != nil {
		return nil, err
	}
	var waiting, lost []content.Digest
	for _, d := range manifests {
		if err := k.visit(ctx, d, l.o.Limits.Manifest, 0); err != nil {
			return nil, err
		}
		waiting = append(waiting, d.Digest)
	}
	_, reached := k.alive(nil)
	for len(waiting) > 0 {
		d := waiting[0]
		waiting = waiting[1:]
		if reached[d] {
			continue
		}
		reached[d] = true
		lost = append(lost, d)
		if m := k.known[d]; m != nil {
			waiting = append(waiting, m.children...)
		}
	}
	return lost, nil
}
