package content

import (
	"context"
	"errors"
)

// A Node is one step of a walk: content, how the walk came to it, and, if it
// refers to other content and is there, what it says.
type Node struct {
	Descriptor
	Parent   Digest // zero for a root
	Role     Role   // of the edge that led here; zero for a root
	Depth    int    // edges from the root
	Absent   bool   // not in the store, which only an edge that may dangle can be
	Manifest Manifest
	Bytes    []byte // of the manifest; nil for a blob
}

// WalkOptions say how a walk goes. The zero value follows everything but
// subjects, below the default limits.
type WalkOptions struct {
	Limits Limits
	// Follow decides whether to go along an edge; nil follows all but subjects.
	Follow func(from Node, e Edge) bool
	// Seen is the set of digests that are not visited again, and grows as the walk
	// goes; nil begins with none. With it, several walks visit everything once.
	Seen map[Digest]bool
}

// Walk visits every root and everything reachable from it, each digest once:
// parents before children and siblings in the order of the manifest. Only
// manifests are read, each once; blobs are visited, not opened. A manifest that
// is absent is visited with Absent set where its edge may dangle, and else fails
// the walk with ErrMissing. Cycles cannot form by digest; depth and number of
// nodes are bounded all the same, and ErrRefused beyond.
func Walk(ctx context.Context, f Fetcher, roots []Descriptor, o WalkOptions, visit func(Node) error) error {
	w := walker{fetch: f, o: o, limits: o.Limits.WithDefaults(), visit: visit, seen: o.Seen}
	if w.seen == nil {
		w.seen = map[Digest]bool{}
	}
	if w.o.Follow == nil {
		w.o.Follow = func(_ Node, e Edge) bool { return e.Role != RoleSubject }
	}
	for _, root := range roots {
		if err := w.node(ctx, Node{Descriptor: root}, false); err != nil {
			return err
		}
	}
	return nil
}

type walker struct {
	fetch  Fetcher
	o      WalkOptions
	limits Limits
	seen   map[Digest]bool
	nodes  int
	visit  func(Node) error
}

func (w *walker) node(ctx context.Context, n Node, mayBeAbsent bool) error {
	if w.seen[n.Digest] {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	w.seen[n.Digest] = true
	if w.nodes++; w.nodes > w.limits.Nodes {
		return AtDigest(n.Digest, Errorf(ErrRefused, "more than %d nodes in one graph", w.limits.Nodes))
	}
	if n.Depth > w.limits.Depth {
		return AtDigest(n.Digest, Errorf(ErrRefused, "manifests nest deeper than %d", w.limits.Depth))
	}
	if HasEdges(n.MediaType) {
		if err := w.read(ctx, &n, mayBeAbsent); err != nil {
			return err
		}
	}
	if err := w.visit(n); err != nil {
		return err
	}
	for _, e := range n.Manifest.Edges() {
		if !w.o.Follow(n, e) {
			continue
		}
		child := Node{Descriptor: e.To, Parent: n.Digest, Role: e.Role, Depth: n.Depth + 1}
		if err := w.node(ctx, child, e.MayBeAbsent()); err != nil {
			return err
		}
	}
	return nil
}

// read fills in what the manifest n says, or that it is absent.
func (w *walker) read(ctx context.Context, n *Node, mayBeAbsent bool) error {
	var err error
	n.Manifest, n.Bytes, err = FetchManifest(ctx, w.fetch, n.Descriptor, w.limits)
	if errors.Is(err, ErrNotFound) {
		if mayBeAbsent {
			n.Absent = true
			return nil
		}
		return AtDigest(n.Digest, Errorf(ErrMissing, "manifest is missing"))
	}
	return err
}
