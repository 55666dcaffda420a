package catalog

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
)

// A Source is the layout that facts are taken from.
type Source interface {
	// Roots calls yield with every root of index.json.
	Roots(ctx context.Context, yield func(Root) error) error
	// Manifest reads one manifest, proven. It may be called from many goroutines.
	// ErrNotFound, ErrCorrupt and ErrRefused mean that this one can't be read.
	Manifest(ctx context.Context, ref Ref, list bool) (content.Manifest, error)
}

// sink takes what a crawl finds.
type sink interface {
	known(long []byte) (bool, error)
	add(n node, long []byte, r record, encoded []byte) error
	hole(n node) error
}

// crawler reads manifests level by level: those that index.json leads to, then
// their children, and so on. Each is read once, and not at all if the sink knows it.
type crawler struct {
	src    Source
	into   sink
	limits content.Limits
	max    int // manifests to read; 0 for the limit alone
	read   int
}

// A crawl reads this many manifests at a time, while those before go to the sink.
const crawlChunk = 512

// run begins with the nodes that are the keys of pending.
func (c *crawler) run(ctx context.Context, pending *sorter, fresh func(*spill) *sorter) error {
	for depth := 0; pending.count > 0 && depth <= c.limits.Depth; depth++ {
		next := fresh(pending.spill)
		if err := c.level(ctx, pending, next); err != nil {
			return err
		}
		pending = next
	}
	return nil
}

// level reads one level. What it leads to goes to next.
func (c *crawler) level(ctx context.Context, pending, next *sorter) error {
	var chunk []node
	var before *reading
	step := func() error {
		now := c.start(ctx, chunk)
		chunk = nil
		err := c.finish(before, next)
		before = now
		return err
	}
	err := pending.each(func(key, _ []byte) error {
		if known, err := c.into.known(key[:digestSize(key)]); err != nil || known {
			return err
		}
		n, err := readNode(key)
		if err != nil {
			return err
		}
		if chunk = append(chunk, n); len(chunk) < crawlChunk {
			return nil
		}
		return step()
	})
	if err == nil {
		err = step()
	}
	if err != nil {
		return errors.Join(err, before.drop())
	}
	return c.finish(before, next)
}

// reading is a chunk under way.
type reading struct {
	group *errgroup.Group
	nodes []node
	found []*found
}

// found is what one node gave; nil if it could not be read.
type found struct {
	long, encoded []byte
	record        record
}

func (c *crawler) start(ctx context.Context, nodes []node) *reading {
	r := &reading{nodes: nodes, found: make([]*found, len(nodes))}
	var workers = max(2, runtime.GOMAXPROCS(0))
	r.group, ctx = errgroup.WithContext(ctx)
	for w := range workers {
		r.group.Go(func() error {
			for i := w; i < len(nodes); i += workers {
				var err error
				if r.found[i], err = c.readOne(ctx, nodes[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return r
}

func (c *crawler) readOne(ctx context.Context, n node) (*found, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	m, err := c.src.Manifest(ctx, n.Ref, n.list)
	switch {
	case errors.Is(err, content.ErrNotFound), errors.Is(err, content.ErrCorrupt), errors.Is(err, content.ErrRefused):
		return nil, nil
	case err != nil:
		return nil, err
	}
	f := &found{long: appendDigest(nil, n.Digest), record: newRecord(n.Ref, m)}
	f.encoded = f.record.encode()
	return f, nil
}

// drop waits for a chunk that nobody wants any more.
func (r *reading) drop() error {
	if r == nil {
		return nil
	}
	_ = r.group.Wait() // its caller has failed already
	return nil
}

// finish gives a chunk to the sink.
func (c *crawler) finish(r *reading, next *sorter) error {
	if r == nil {
		return nil
	}
	if err := r.group.Wait(); err != nil {
		return err
	}
	for i, f := range r.found {
		if err := c.sink(r.nodes[i], f, next); err != nil {
			return err
		}
	}
	return nil
}

func (c *crawler) sink(n node, f *found, next *sorter) error {
	if f == nil {
		return c.into.hole(n)
	}
	if known, err := c.into.known(f.long); err != nil || known {
		return err
	}
	if c.read++; c.max > 0 && c.read > c.max {
		return ErrLarge
	}
	if c.read > c.limits.Nodes {
		return content.Errorf(content.ErrRefused, "more than %d manifests", c.limits.Nodes)
	}
	if err := c.into.add(n, f.long, f.record, f.encoded); err != nil {
		return err
	}
	for _, child := range f.record.children {
		if child.MediaType == "" {
			continue
		}
		if err := next.add(node{Ref: child.Ref}.key(), nil); err != nil {
			return err
		}
	}
	return nil
}
