package layout

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
)

// RoleReferrer is the role of what has its parent in a tree as its subject.
const RoleReferrer content.Role = "referrer"

// A Tree is content with what it refers to and what refers to it as its subject.
// Its JSON is what `tree` prints; the fields are stable.
type Tree struct {
	Name         string            `json:"name,omitempty"` // of an entry in index.json
	Role         content.Role      `json:"role,omitempty"` // how the parent refers to it; "" for a root
	Digest       content.Digest    `json:"digest"`
	MediaType    string            `json:"mediaType"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     *content.Platform `json:"platform,omitempty"`
	Absent       bool              `json:"absent,omitempty"` // not in the layout, and need not be
	Again        bool              `json:"again,omitempty"`  // shown in full before, and not again
	Children     []*Tree           `json:"children,omitempty"`
	Referrers    []*Tree           `json:"referrers,omitempty"`
}

// A TreeBuilder makes trees of one store. What one of them shows in full the
// later ones only name, so that a forest is no larger than what is in it.
type TreeBuilder struct {
	fetch  content.Fetcher
	limits content.Limits
	shown  map[content.Digest]bool
	nodes  int
}

// NewTreeBuilder makes a builder of trees of what f has. Referrers are in them if
// f can tell them, as a Reader can.
func NewTreeBuilder(f content.Fetcher, limits content.Limits) *TreeBuilder {
	return &TreeBuilder{fetch: f, limits: limits.WithDefaults(), shown: map[content.Digest]bool{}}
}

// Build makes the tree of e. Only manifests are read. One that is missing though
// it must be there is ErrMissing.
func (b *TreeBuilder) Build(ctx context.Context, e Entry) (*Tree, error) {
	t, err := b.node(ctx, "", e.Descriptor, 0)
	if err != nil {
		return nil, err
	}
	t.Name = e.Name()
	return t, nil
}

// BuildTrees makes the tree of ref in r, or of every entry if ref has neither name
// nor digest.
func BuildTrees(ctx context.Context, r *Reader, ref Reference) ([]*Tree, error) {
	f, done := r.withReferrers(true)
	defer done()
	b := NewTreeBuilder(f, r.Limits())
	if ref.Name != "" || ref.Digest != "" {
		e, err := r.Lookup(ctx, ref)
		if err != nil {
			return nil, err
		}
		t, err := b.Build(ctx, e)
		return []*Tree{t}, err
	}
	var roots []*Tree
	err := r.View(ctx, func(x *Index) error {
		roots = make([]*Tree, 0, x.Len())
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			t, err := b.Build(ctx, e)
			if err != nil {
				return err
			}
			roots = append(roots, t)
		}
		return nil
	})
	return roots, err
}

func (b *TreeBuilder) node(ctx context.Context, role content.Role, desc content.Descriptor, depth int) (*Tree, error) {
	t := &Tree{Role: role, Digest: desc.Digest, MediaType: desc.MediaType, Size: desc.Size, ArtifactType: desc.ArtifactType, Platform: desc.Platform}
	switch b.nodes++; {
	case b.nodes > b.limits.Nodes:
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrRefused, "more than %d nodes in one tree", b.limits.Nodes))
	case depth > b.limits.Depth:
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrRefused, "manifests nest deeper than %d", b.limits.Depth))
	case !content.HasEdges(desc.MediaType):
		return t, nil
	case b.shown[desc.Digest]:
		t.Again = true
		return t, nil
	}
	b.shown[desc.Digest] = true
	m, _, err := content.FetchManifest(ctx, b.fetch, desc, b.limits)
	if errors.Is(err, content.ErrNotFound) {
		if role == content.RoleManifest || role == RoleReferrer {
			t.Absent = true
			return t, nil
		}
		err = content.AtDigest(desc.Digest, content.Errorf(content.ErrMissing, "manifest is missing"))
	}
	if err != nil {
		return nil, err
	}
	if m.ArtifactType != "" || !content.IsIndex(desc.MediaType) && !m.IsImage() {
		t.ArtifactType = m.EffectiveArtifactType()
	}
	for _, edge := range m.Edges() {
		if edge.Role == content.RoleSubject {
			continue // it is shown above
		}
		child, err := b.node(ctx, edge.Role, edge.To, depth+1)
		if err != nil {
			return nil, err
		}
		t.Children = append(t.Children, child)
	}
	return t, b.referrers(ctx, t, desc, depth)
}

func (b *TreeBuilder) referrers(ctx context.Context, t *Tree, desc content.Descriptor, depth int) error {
	lister, ok := b.fetch.(referrerLister)
	if !ok {
		return nil
	}
	return lister.Referrers(ctx, desc, "", func(found []content.Descriptor) error {
		for _, r := range found {
			child, err := b.node(ctx, RoleReferrer, r, depth+1)
			if err != nil {
				return err
			}
			t.Referrers = append(t.Referrers, child)
		}
		return nil
	})
}
