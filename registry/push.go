package registry

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// PushOptions say what is pushed and how. The zero value pushes all that belongs to
// an image.
type PushOptions struct {
	// Tags are further tags of the same repository.
	Tags []string
	// Platforms are the only ones pushed of an index, with their attestations. The
	// index is pushed as it is and lists what is not there, which many registries
	// refuse. None means all.
	Platforms []content.Platform
	// NoReferrers leaves out what has something pushed as its subject, and what cosign
	// made for it.
	NoReferrers bool
	// NoClobber is ErrConflict, before anything is sent, where a tag has other content.
	NoClobber bool
	// MountFrom is another repository of the registry that has blobs of the image.
	MountFrom string
	// DryRun sends nothing but questions.
	DryRun bool
}

// A PushReport says what a push did, or as a dry run would do.
type PushReport struct {
	DryRun    bool            `json:"dryRun"`
	Digest    content.Digest  `json:"digest,omitempty"` // of the one image
	Changes   []layout.Change `json:"changes"`          // of tags, with host and repository
	Manifests int             `json:"manifests"`        // sent, indexes too
	Blobs     int             `json:"blobs"`            // sent; as a dry run, also those to be mounted
	Bytes     int64           `json:"bytes"`            // of these blobs
	Mounted   int             `json:"mounted"`          // blobs that the registry had
	Referrers int             `json:"referrers"`        // sent, of the manifests
	Absent    int             `json:"absent"`           // children of indexes, and foreign layers, left out
}

// Changed says whether anything was, or would be, sent or named.
func (r PushReport) Changed() bool {
	for _, c := range r.Changes {
		if c.Old != c.New {
			return true
		}
	}
	return r.Manifests > 0
}

// Push puts what ref means in src at to, or under the tag latest if to has neither tag
// nor digest, with all that refers to it: referrers at any depth, and what cosign made.
// It may be done again any time: what is there is not sent twice. If it fails, tags
// that have not been reported may have moved or not, and nothing in the repository
// refers to what is not there.
//
// Requests, besides those for tokens: one for each tag, and if nothing changes no
// other; else for each blob one if the registry has it, and two if not; one for each
// manifest sent; if the tag was there, one for each child of an index. With referrers,
// one more for each manifest that was there and has referrers in src, and one for each
// of cosign's tags.
func Push(ctx context.Context, s *Session, src *layout.Reader, ref layout.Reference, to Reference, o PushOptions) (PushReport, error) {
	p := newPusher(src, to.OrLatest(), o)
	e, err := src.Lookup(ctx, ref)
	if err != nil {
		return p.report, content.At(src.Path(), err)
	}
	p.report.Digest = e.Digest
	points, err := p.points(e.Descriptor)
	if err != nil {
		return p.report, err
	}
	err = p.run(ctx, s, []target{{e.Descriptor, points}})
	return p.report, err
}

// PushAll is Push of every image of src that has a name, under the tag in it, to one
// repository. Two names with the same tag and other content are ErrAmbiguous, and then
// nothing is sent; to.Tag, to.Digest and o.Tags must be empty.
func PushAll(ctx context.Context, s *Session, src *layout.Reader, to Reference, o PushOptions) (PushReport, error) {
	p := newPusher(src, to, o)
	if to.Tag != "" || to.Digest != "" || len(o.Tags) > 0 {
		return p.report, content.Errorf(content.ErrInvalid, "%s: all tags go to a repository, and have their names already", to)
	}
	targets, err := p.tagged(ctx)
	if err != nil {
		return p.report, content.At(src.Path(), err)
	}
	err = p.run(ctx, s, targets)
	return p.report, err
}

// A target is a manifest with the points where it goes.
type target struct {
	content.Descriptor
	points []string
}

// tagged lists the images of src with the tags in their names.
func (p *pusher) tagged(ctx context.Context) ([]target, error) {
	var targets []target
	taken := map[string]content.Digest{}
	err := p.src.View(ctx, func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			if e.Name() == "" || e.Kind() == layout.KindFallback || e.IsCosignTag() {
				continue
			}
			_, tag, _ := layout.NormalizeName(e.Name())
			if _, err := p.to.WithTag(tag); err != nil {
				return content.At(e.Name(), err)
			}
			if other, ok := taken[tag]; ok && other != e.Digest {
				return content.Errorf(content.ErrAmbiguous, "two images have the tag %s: %s and %s", tag, other, e.Digest)
			} else if !ok {
				targets = append(targets, target{e.Descriptor, []string{tag}})
			}
			taken[tag] = e.Digest
		}
		return nil
	})
	if err == nil && len(targets) == 0 {
		err = content.Errorf(content.ErrNotFound, "no image has a name")
	}
	return targets, err
}

func newPusher(src *layout.Reader, to Reference, o PushOptions) *pusher {
	return &pusher{
		src: src, to: to, o: o, planned: map[content.Digest]int{}, blobs: map[content.Digest]bool{},
		report: PushReport{DryRun: o.DryRun, Changes: []layout.Change{}},
	}
}

// run sends all targets, and what refers to them.
func (p *pusher) run(ctx context.Context, s *Session, targets []target) (err error) {
	if p.repo, err = s.Open(ctx, p.to); err != nil {
		return err
	}
	if !p.o.DryRun {
		ctx = p.repo.asPusher(ctx, p.o.MountFrom)
	}
	for _, t := range targets {
		if err := p.image(ctx, t.Descriptor, t.points); err != nil {
			return err
		}
	}
	if p.o.NoReferrers {
		return nil
	}
	return p.belongings(ctx)
}

type pusher struct {
	src     *layout.Reader
	repo    *Repository
	to      Reference
	o       PushOptions
	seen    []node                 // manifests that were looked at
	planned map[content.Digest]int // where in seen
	blobs   map[content.Digest]bool
	report  PushReport
}

// A node is a manifest of src. It is in the registry, or goes there.
type node struct {
	content.Descriptor
	data    []byte
	subject *content.Descriptor
	present bool // before anything was sent
}

// points lists where the image goes: tags, or its digest.
func (p *pusher) points(d content.Descriptor) ([]string, error) {
	var points []string
	if p.to.Digest != "" && p.to.Digest != d.Digest {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrInvalid, "the image does not have the digest of %s", p.to))
	}
	if p.to.Tag != "" {
		points = append(points, p.to.Tag)
	}
	for _, tag := range p.o.Tags {
		if _, err := p.to.WithTag(tag); err != nil {
			return nil, err
		}
		points = append(points, tag)
	}
	if len(points) == 0 {
		points = []string{d.Digest.String()}
	}
	return points, nil
}

// image sends a manifest with all below it, and puts it at the points.
func (p *pusher) image(ctx context.Context, d content.Descriptor, points []string) error {
	changes, there, known, err := p.before(ctx, d, points)
	if err != nil {
		return err
	}
	var work plan
	if err := p.plan(ctx, &work, d, there, known, 0); err != nil {
		return content.At(p.src.Path(), err)
	}
	if err := p.send(ctx, work); err != nil {
		return err
	}
	for _, change := range changes {
		if err := p.name(ctx, d, change); err != nil {
			return err
		}
	}
	return nil
}

// before asks for what is at the points now: whether d is in the repository, and
// whether anything is.
func (p *pusher) before(ctx context.Context, d content.Descriptor, points []string) (changes []layout.Change, there, known bool, err error) {
	for _, point := range points {
		have, err := p.repo.Resolve(ctx, point)
		if err != nil && !errors.Is(err, content.ErrNotFound) {
			return nil, false, false, err
		}
		if err == nil {
			known = true
			there = there || have.Digest == d.Digest
			if p.o.NoClobber && have.Digest != d.Digest {
				return nil, false, false, p.repo.at(point, content.Errorf(content.ErrConflict, "%s is there, which is not to be replaced", have.Digest))
			}
		}
		changes = append(changes, layout.Change{Name: point, Old: have.Digest, New: d.Digest})
	}
	return changes, there, known, nil
}

// name puts the manifest at one point, if it is not there.
func (p *pusher) name(ctx context.Context, d content.Descriptor, c layout.Change) error {
	point := c.Name
	if point == d.Digest.String() {
		c.Name = p.to.Name() + "@" + point
	} else {
		c.Name = p.to.Name() + ":" + point
	}
	if c.Old != d.Digest {
		p.report.Manifests++
		if !p.o.DryRun {
			if err := p.put(ctx, p.seen[p.planned[d.Digest]], point); err != nil {
				return err
			}
		}
	}
	p.report.Changes = append(p.report.Changes, c)
	return nil
}

// put sends a manifest, and where the registry does not do it by itself lists it as
// what refers to its subject.
func (p *pusher) put(ctx context.Context, n node, point string) error {
	handled, err := p.repo.putManifest(ctx, n.Descriptor, n.data, point)
	if err != nil || n.subject == nil || handled {
		return err
	}
	return p.repo.list(ctx, n.subject.Digest, n.Descriptor, n.data)
}

// A plan is what must be sent, in this order.
type plan struct {
	blobs     []content.Descriptor
	manifests []node // children before parents; the root is not among them
}

// plan looks at a manifest of src. there says that the registry has it, with all below;
// ask, that it may have parts of it.
func (p *pusher) plan(ctx context.Context, work *plan, d content.Descriptor, there, ask bool, depth int) error {
	limits := p.src.Limits()
	if _, ok := p.planned[d.Digest]; ok {
		return nil
	}
	if depth > limits.Depth || len(p.planned) > limits.Nodes {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest too deep, or there are too many manifests"))
	}
	m, data, err := content.FetchManifest(ctx, p.src, d, limits)
	if errors.Is(err, content.ErrNotFound) {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrMissing, "the manifest is missing"))
	}
	if err != nil {
		return err
	}
	if depth > 0 && ask && !there {
		_, err := p.repo.Resolve(ctx, d.Digest.String())
		if err != nil && !errors.Is(err, content.ErrNotFound) {
			return err
		}
		there = err == nil
	}
	for _, edge := range m.Edges() {
		switch {
		case edge.Role == content.RoleSubject:
		case edge.Role == content.RoleManifest && content.HasEdges(edge.To.MediaType):
			err = p.child(ctx, work, m, edge.To, there, ask, depth)
		case !there:
			err = p.blob(ctx, work, edge)
		}
		if err != nil {
			return err
		}
	}
	n := node{Descriptor: d, data: data, subject: m.Subject, present: there}
	p.planned[d.Digest] = len(p.seen)
	p.seen = append(p.seen, n)
	if depth > 0 && !there {
		work.manifests = append(work.manifests, n)
	}
	return nil
}

func (p *pusher) child(ctx context.Context, work *plan, index content.Manifest, d content.Descriptor, there, ask bool, depth int) error {
	ok, err := p.src.Exists(ctx, d)
	if err != nil {
		return err
	}
	if !ok || !layout.WantsChild(ctx, p.src, index, d, p.o.Platforms, p.src.Limits()) {
		p.report.Absent++
		return nil
	}
	return p.plan(ctx, work, d, there, ask, depth+1)
}

func (p *pusher) blob(ctx context.Context, work *plan, edge content.Edge) error {
	if p.blobs[edge.To.Digest] {
		return nil
	}
	p.blobs[edge.To.Digest] = true
	ok, err := p.src.Exists(ctx, edge.To)
	switch {
	case err != nil:
		return err
	case !ok && content.IsForeign(edge.To.MediaType):
		p.report.Absent++
		return nil
	case !ok:
		return content.AtDigest(edge.To.Digest, content.Errorf(content.ErrMissing, "%s is missing", edge.Role))
	}
	work.blobs = append(work.blobs, edge.To)
	return nil
}

// send sends the blobs, several at once, and then the manifests.
func (p *pusher) send(ctx context.Context, work plan) error {
	p.report.Manifests += len(work.manifests)
	if p.o.DryRun {
		for _, d := range work.blobs {
			p.report.Blobs++
			p.report.Bytes += d.Size
		}
		return nil
	}
	var mu sync.Mutex
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, d := range work.blobs {
		group.Go(func() error {
			mounted, err := p.repo.upload(gctx, p.src, d, p.o.MountFrom)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				return err
			case mounted:
				p.report.Mounted++
			default:
				p.report.Blobs++
				p.report.Bytes += d.Size
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, n := range work.manifests {
		if err := p.put(ctx, n, n.Digest.String()); err != nil {
			return err
		}
	}
	return nil
}
