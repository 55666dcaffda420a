package registry

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A pusher sends images from one source to one repository, whatever the source is.
type pusher struct {
	src     origin
	repo    *Repository
	to      Reference
	o       PushOptions
	within  bool                   // the source is the repository itself
	seen    []node                 // manifests that were looked at
	planned map[content.Digest]int // where in seen
	blobs   map[content.Digest]bool
	allowed *allowance // of what refers to the images
	report  PushReport
}

// A node is a manifest of the source. It is in the registry, or goes there.
type node struct {
	content.Descriptor
	data    []byte // nil if it was not read
	subject *content.Descriptor
	present bool // before anything was sent
}

func newPusher(src origin, to Reference, o PushOptions) *pusher {
	return &pusher{
		src: src, to: to, o: o, planned: map[content.Digest]int{}, blobs: map[content.Digest]bool{},
		allowed: newAllowance(o.ReferrerTypes, o.MaxReferrers, o.MaxReferrerBytes),
		report:  PushReport{DryRun: o.DryRun, Changes: []layout.Change{}},
	}
}

// one sends one image to where it goes. Of d no more than the digest need be known.
func (p *pusher) one(ctx context.Context, s *Session, d content.Descriptor) (_ PushReport, err error) {
	if d, err = p.narrow(ctx, d); err != nil {
		return p.report, err
	}
	p.report.Digest = d.Digest
	points, err := p.points(d.Digest)
	if err != nil {
		return p.report, err
	}
	err = p.run(ctx, s, []target{{d, points}})
	return p.report, err
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
	if err := p.leave(ctx); err != nil || p.within {
		return err
	}
	return p.belongings(ctx)
}

// points lists where the image goes: tags, or its digest.
func (p *pusher) points(d content.Digest) ([]string, error) {
	var points []string
	if p.to.Digest != "" && p.to.Digest != d {
		return nil, content.AtDigest(d, content.Errorf(content.ErrInvalid, "the image does not have the digest of %s", p.to))
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
		points = []string{d.String()}
	}
	return points, nil
}

// image sends a manifest with all below it, and puts it at the points. Of d no more than
// the digest need be known.
func (p *pusher) image(ctx context.Context, d content.Descriptor, points []string) error {
	have, err := p.before(ctx, d.Digest, points)
	if err != nil {
		return err
	}
	if have.stays { // at all points
		p.report.Changes = append(p.report.Changes, have.changes...)
		return nil
	}
	if want := d.Digest; d.MediaType == "" {
		if d = have.there; d.Digest == "" {
			if d, err = p.src.locate(ctx, want); err != nil {
				return err
			}
		}
	}
	var work plan
	err = p.plan(ctx, &work, d, have.there.Digest != "" || p.within, have.known, 0)
	if errors.Is(err, content.ErrNotFound) {
		err = content.AtDigest(d.Digest, content.Errorf(content.ErrMissing, "the manifest is missing"))
	}
	if err != nil {
		return content.At(p.src.Path(), err)
	}
	if err := p.send(ctx, work); err != nil {
		return err
	}
	for i, point := range points {
		if err := p.name(ctx, d.Digest, point, have.changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// A prior is what is at the points before anything is sent.
type prior struct {
	changes []layout.Change    // of the points
	there   content.Descriptor // the manifest, if it is at one of them
	known   bool               // anything is at one of them
	stays   bool               // other content is at all of them, and stays there
}

// before asks for what is at the points now.
func (p *pusher) before(ctx context.Context, d content.Digest, points []string) (prior, error) {
	found := prior{stays: true}
	for _, point := range points {
		change := layout.Change{Name: p.to.with(point), New: d}
		have, err := p.repo.Resolve(ctx, point)
		if err != nil && !errors.Is(err, content.ErrNotFound) {
			return found, err
		}
		if err == nil {
			found.known = true
			change.Old = have.Digest
			if have.Digest == d {
				found.there = have
			} else if change.Skipped = p.o.Policy == layout.Skip; p.o.Policy == layout.Fail {
				return found, p.repo.at(point, content.Errorf(content.ErrConflict, "%s is there, which is not to be replaced", have.Digest))
			}
		}
		found.stays = found.stays && change.Skipped
		found.changes = append(found.changes, change)
	}
	return found, nil
}

// name puts the manifest at one point, if it is not there.
func (p *pusher) name(ctx context.Context, d content.Digest, point string, c layout.Change) error {
	if c.Old != d && !c.Skipped {
		p.report.Manifests++
		if !p.o.DryRun {
			if err := p.put(ctx, p.seen[p.planned[d]], point); err != nil {
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
	if n.data == nil { // it is there, and gets another tag
		var err error
		if _, n.data, err = content.FetchManifest(ctx, p.src, n.Descriptor, p.src.Limits()); err != nil {
			return content.At(p.src.Path(), err)
		}
	}
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

// plan looks at a manifest of the source. there says that the registry has it, with all
// below; ask, that it may have parts of it. What the registry has is not read, but for
// an index whose children may be referred to. ErrNotFound says that the source lacks it.
func (p *pusher) plan(ctx context.Context, work *plan, d content.Descriptor, there, ask bool, depth int) error {
	limits := p.src.Limits()
	if _, ok := p.planned[d.Digest]; ok {
		return nil
	}
	if depth > limits.Depth || len(p.planned) > limits.Nodes {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest too deep, or there are too many manifests"))
	}
	if depth > 0 && ask && !there {
		_, err := p.repo.Resolve(ctx, d.Digest.String())
		if err != nil && !errors.Is(err, content.ErrNotFound) {
			return err
		}
		there = err == nil
	}
	n := node{Descriptor: d, present: there}
	if !there || content.IsIndex(d.MediaType) && !p.o.NoReferrers && !p.within {
		m, data, err := content.FetchManifest(ctx, p.src, d, limits)
		if err != nil {
			return err
		}
		for _, edge := range m.Edges() {
			if err := p.edge(ctx, work, m, edge, there, ask, depth); err != nil {
				return err
			}
		}
		n.data, n.subject = data, m.Subject
	}
	p.planned[d.Digest] = len(p.seen)
	p.seen = append(p.seen, n)
	if depth > 0 && !there {
		work.manifests = append(work.manifests, n)
	}
	return nil
}

// edge plans what a manifest refers to.
func (p *pusher) edge(ctx context.Context, work *plan, m content.Manifest, edge content.Edge, there, ask bool, depth int) error {
	switch {
	case edge.Role == content.RoleSubject:
		return nil
	case edge.Role == content.RoleManifest && content.HasEdges(edge.To.MediaType):
		return p.child(ctx, work, m, edge.To, there, ask, depth)
	case !there:
		return p.blob(ctx, work, edge)
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
	err = p.plan(ctx, work, d, there, ask, depth+1)
	if errors.Is(err, content.ErrNotFound) {
		p.report.Absent++
		return nil
	}
	return err
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
	group.SetLimit(p.repo.c.o.workers())
	for _, d := range work.blobs {
		group.Go(func() error {
			mounted, err := p.repo.upload(gctx, p.src, d, p.o.MountFrom)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, content.ErrMissing) && content.IsForeign(d.MediaType):
				p.report.Absent++
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
