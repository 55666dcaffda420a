package layout

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
)

// CopyOptions say what of a graph is copied and how. The zero value copies all of
// it, bytes and all.
type CopyOptions struct {
	// Link makes hard links to the source's files where that can be, which shares
	// their fate and does not read them. Without it bytes are shared by reflink
	// where the filesystem can, else copied, and proven either way.
	Link bool
	// Platforms are the only ones taken of an index, with the attestations that
	// belong to them; the index is copied as it is, and is sparse then. None
	// means all.
	Platforms []content.Platform
	// Only are the manifests of indexes that are taken, nested indexes beside them; nil
	// means all.
	Only map[content.Digest]bool
	// Leave chooses nodes that are not copied, though the walk goes on below them; nil
	// leaves none.
	Leave func(content.Node) bool
	// Seen is the set of digests that are not copied again, and grows with what is
	// visited; nil begins with none. With it several copies bring everything once.
	Seen map[content.Digest]bool
	// BySize takes a blob that is there for right if its size is, and does not read it.
	BySize bool
	// Workers is how many blobs are copied at once; 0 is one for each core. A source
	// across a network wants more.
	Workers int
	// Copied, if not nil, is told of each blob that was copied or linked, one after the
	// other.
	Copied func(content.Descriptor)
}

// A CopyReport says what a copy did.
type CopyReport struct {
	Blobs   int                  `json:"blobs"`            // copied or linked
	Bytes   int64                `json:"bytes"`            // of these
	Present int                  `json:"present"`          // there already, and right as far as was looked
	Absent  []content.Descriptor `json:"absent,omitempty"` // children of sparse indexes, and foreign layers
}

// CopyGraph stages in b everything reachable from the roots in src. Parts that are
// absent where they may be are reported; any other is ErrMissing. The bytes of src
// are proven on the way, and without BySize those in b's layout too; of a src that is a
// content.FetcherFrom, blobs are pushed as Batch.PushResumable does. Nothing has a name, nor is it
// durable, before b.Publish; nothing of index.json is touched.
func CopyGraph(ctx context.Context, b *Batch, src content.Fetcher, roots []content.Descriptor, o CopyOptions) (CopyReport, error) {
	c := copier{b: b, src: src, o: o}
	c.group, ctx = errgroup.WithContext(ctx)
	c.group.SetLimit(cmp.Or(o.Workers, runtime.GOMAXPROCS(0)))
	err := content.Walk(ctx, src, roots, content.WalkOptions{Limits: b.l.o.Limits, Follow: c.follow(ctx), Seen: o.Seen}, func(n content.Node) error {
		if n.Absent {
			c.absent(n.Descriptor)
			return nil
		}
		if o.Leave == nil || !o.Leave(n) {
			c.group.Go(func() error { return c.blob(ctx, n) })
		}
		return nil
	})
	// What a worker says is the cause; the walk only saw its context end.
	if workErr := c.group.Wait(); workErr != nil {
		err = workErr
	}
	return c.report, err
}

type copier struct {
	b     *Batch
	src   content.Fetcher
	o     CopyOptions
	group *errgroup.Group

	mu     sync.Mutex
	report CopyReport
}

// follow leaves out the subject, and the children that were not asked for.
func (c *copier) follow(ctx context.Context) func(content.Node, content.Edge) bool {
	if len(c.o.Platforms) == 0 && c.o.Only == nil {
		return nil
	}
	return func(from content.Node, e content.Edge) bool {
		switch {
		case e.Role == content.RoleSubject:
			return false
		case c.o.Only != nil && e.Role == content.RoleManifest && !content.IsIndex(e.To.MediaType) && !c.o.Only[e.To.Digest]:
			return false
		}
		return e.Role != content.RoleManifest || WantsChild(ctx, c.src, from.Manifest, e.To, c.o.Platforms, c.b.l.o.Limits)
	}
}

// WantsChild says whether a child of an index is taken when only some platforms
// are: one of these, a nested index, or the attestation of one that is taken.
func WantsChild(ctx context.Context, f content.Fetcher, index content.Manifest, child content.Descriptor, platforms []content.Platform, limits content.Limits) bool {
	if len(platforms) == 0 || content.IsIndex(child.MediaType) {
		return true
	}
	if content.IsAttestation(child) {
		of := content.Digest(child.Annotations["vnd.docker.reference.digest"])
		for _, sibling := range index.Manifests {
			if sibling.Digest == of && !content.IsAttestation(sibling) {
				return WantsChild(ctx, f, index, sibling, platforms, limits)
			}
		}
		return false
	}
	p := child.Platform
	if p == nil {
		var err error
		if p, err = content.PlatformOf(ctx, f, child, limits); err != nil || p == nil {
			return false
		}
	}
	for _, want := range platforms {
		if content.MatchPlatform(want, *p) {
			return true
		}
	}
	return false
}

func (c *copier) absent(d content.Descriptor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Absent = append(c.report.Absent, d)
}

// blob brings one node over.
func (c *copier) blob(ctx context.Context, n content.Node) error {
	linked := false
	if n.Bytes == nil && c.o.Link {
		var err error
		if linked, err = c.link(ctx, n.Descriptor); err != nil {
			return err
		}
	}
	present := false
	if !linked {
		var err error
		if present, err = c.has(ctx, n); err != nil {
			return err
		}
	}
	if !linked && !present {
		err := c.push(ctx, n)
		if errors.Is(err, content.ErrNotFound) {
			if content.IsForeign(n.MediaType) {
				c.absent(n.Descriptor)
				return nil
			}
			return content.AtDigest(n.Digest, content.Errorf(content.ErrMissing, "%s is missing", n.Role))
		}
		if err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if present {
		c.report.Present++
		return nil
	}
	c.report.Blobs++
	c.report.Bytes += n.Size
	if c.o.Copied != nil {
		c.o.Copied(n.Descriptor)
	}
	return nil
}

// has says whether a node is there. It is held from now on.
func (c *copier) has(ctx context.Context, n content.Node) (bool, error) {
	if !c.o.BySize || n.Bytes != nil {
		return c.b.has(ctx, n.Descriptor)
	}
	present, err := c.b.Exists(ctx, n.Descriptor)
	if errors.Is(err, content.ErrRefused) {
		return false, nil // a file of another kind is in its place
	}
	return present, err
}

// onDisk is the source if it is a directory, whose files can be shared.
func (c *copier) onDisk() (dirSource, bool) {
	r, ok := c.src.(interface{ directory() (dirSource, bool) })
	if !ok {
		return dirSource{}, false
	}
	return r.directory()
}

func (r *Reader) directory() (dirSource, bool) {
	dir, ok := r.src.(dirSource)
	return dir, ok
}

func (c *copier) link(ctx context.Context, d content.Descriptor) (bool, error) {
	dir, ok := c.onDisk()
	if !ok || content.CheckDigest(d.Digest) != nil {
		return false, nil
	}
	path := dir.path(blobPath(d.Digest))
	if dir.linked(path) {
		return false, nil
	}
	return c.b.LinkFile(ctx, d, path)
}

func (c *copier) push(ctx context.Context, n content.Node) error {
	if n.Bytes != nil {
		return c.b.Push(ctx, n.Descriptor, bytes.NewReader(n.Bytes)) // under its own algorithm
	}
	if dir, ok := c.onDisk(); ok && content.CheckDigest(n.Digest) == nil {
		f, _, err := dir.blob(n.Digest)
		if err != nil {
			return blobError(n.Digest, err)
		}
		return errors.Join(c.b.PushFile(ctx, n.Descriptor, f.(diskFile).File), f.Close())
	}
	if from, ok := c.src.(content.FetcherFrom); ok {
		return c.b.PushResumable(ctx, n.Descriptor, func(offset int64) (io.ReadCloser, error) {
			rc, err := from.FetchFrom(ctx, n.Descriptor, offset)
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{content.TrackFrom(ctx, rc, "copy", content.Short(n.Digest), n.Size, offset), rc}, nil
		})
	}
	rc, err := c.src.Fetch(ctx, n.Descriptor)
	if err != nil {
		return err
	}
	push := c.b.Push
	if content.Proves(rc, n.Descriptor) { // not every Fetcher does
		push = c.b.pushProven
	}
	tracked := content.Track(ctx, rc, "copy", content.Short(n.Digest), n.Size)
	return errors.Join(push(ctx, n.Descriptor, tracked), rc.Close())
}
