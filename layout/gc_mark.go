package layout

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// A marker finds what is reached. What was marked stays so: marking more, as names
// change, is safe.
type marker struct {
	r       *Reader
	reached map[content.Digest]struct{}
	read    map[content.Digest]struct{} // manifests among them whose edges are known
}

func newMarker(r *Reader) *marker {
	return &marker{r, map[content.Digest]struct{}{}, map[content.Digest]struct{}{}}
}

func (m *marker) has(d content.Digest) bool {
	_, ok := m.reached[d]
	return ok
}

// markNode is what a manifest, an entry of index.json, or gc itself leads to.
type markNode struct {
	digest content.Digest
	need   need
	sniff  bool // not said to be a manifest: it is one if it looks like one
	list   bool // of referrers, which may be larger
}

// need says what it means that a node can't be read.
type need uint8

const (
	needed      need = iota // nobody knows what it reaches: gc gives up
	mayBeAbsent             // the layout is sparse there; a corrupt one is as above
	weak                    // it is a blob that happens to look like a manifest
)

// entries lists what index.json leads to, with the stamp of what was read.
func (m *marker) entries(ctx context.Context) (nodes []markNode, stamp durable.Stamp, err error) {
	for attempt := 0; attempt < 4; attempt++ {
		var f indexFile
		if f, err = m.r.src.index(); errors.Is(err, fs.ErrNotExist) {
			err = content.Errorf(content.ErrCorrupt, "is missing")
		}
		if err != nil {
			return nil, stamp, content.At("index.json", err)
		}
		if disk, ok := f.(diskIndex); ok {
			stamp = durable.StampOf(disk.info)
		}
		nodes = nil
		_, err = parseIndex(f, m.r.o.Limits, func(s *summary, raw []byte) error {
			nodes, err = appendEntry(nodes, s, raw)
			return err
		}, nil)
		_ = f.Close() // only read
		if !errors.Is(err, content.ErrCorrupt) {
			break
		}
		// Another tool may be writing it in place.
		if err := pause(ctx, attempt); err != nil {
			return nil, stamp, err
		}
	}
	return nodes, stamp, content.At("index.json", err)
}

// appendEntry appends what an entry leads to: its content, and what it says that is
// about.
func appendEntry(nodes []markNode, s *summary, raw []byte) ([]markNode, error) {
	d, mediaType := content.Digest(s.digest), string(s.mediaType)
	if content.CheckDigest(d) != nil {
		e, err := ParseEntry(raw)
		if err != nil {
			return nil, err
		}
		d, mediaType = e.Digest, e.MediaType
	}
	name := s.refName
	if len(s.imageName) > 0 {
		name = s.imageName
	}
	fallback := fallbackOf(mediaType, string(name))
	root := markNode{digest: d, list: fallback != "" || len(s.listed) > 0}
	if !content.HasEdges(mediaType) {
		root.sniff, root.need = true, mayBeAbsent
	}
	nodes = append(nodes, root)
	for _, about := range []content.Digest{digestOfTag(fallback), cosignSubject(string(name)), content.Digest(s.subject), content.Digest(s.listed)} {
		if about != "" && content.CheckDigest(about) == nil {
			nodes = append(nodes, markNode{digest: about, need: mayBeAbsent, sniff: true})
		}
	}
	return nodes, nil
}

// digestOfTag is the digest in a fallback tag. That of a sha512 is cut, so it is none.
func digestOfTag(tag string) content.Digest {
	if tag == "" {
		return ""
	}
	return cosignSubject(tag + ".sig")
}

// run marks nodes and what they reach, level by level, each manifest once. A subject
// begins anew: a chain of referrers may be long.
func (m *marker) run(ctx context.Context, nodes []markNode) error {
	queued := map[content.Digest]need{}
	var subjects []markNode
	for depth := 0; len(nodes)+len(subjects) > 0; depth++ {
		if len(nodes) == 0 {
			nodes, subjects, depth = subjects, nil, 0
		}
		if depth > m.r.o.Limits.Depth {
			return content.AtDigest(nodes[0].digest, content.Errorf(content.ErrRefused, "manifests nest deeper than %d", m.r.o.Limits.Depth))
		}
		level := m.unread(nodes, queued)
		if len(m.read)+len(level) > m.r.o.Limits.Nodes {
			return content.Errorf(content.ErrRefused, "more than %d manifests", m.r.o.Limits.Nodes)
		}
		found, err := m.readAll(ctx, level)
		if err != nil {
			return err
		}
		nodes = nil
		for i, manifest := range found {
			if manifest != nil {
				m.read[level[i].digest] = struct{}{}
				nodes, subjects = m.follow(nodes, subjects, level[i], *manifest)
			}
		}
	}
	return nil
}

// unread marks nodes, and lists those that must be read.
func (m *marker) unread(nodes []markNode, queued map[content.Digest]need) []markNode {
	var level []markNode
	for _, n := range nodes {
		m.reached[n.digest] = struct{}{}
		_, known := m.read[n.digest]
		before, waits := queued[n.digest]
		if known || waits && before <= n.need {
			continue
		}
		queued[n.digest] = n.need
		level = append(level, n)
	}
	return level
}

// follow marks what a manifest refers to, and appends what must be read of that.
func (m *marker) follow(nodes, subjects []markNode, from markNode, manifest content.Manifest) (_, _ []markNode) {
	edges := manifest.Edges()
	if manifest.Refers != nil {
		edges = append(edges, content.Edge{Role: content.RoleSubject, To: *manifest.Refers})
	}
	for _, e := range edges {
		if content.CheckDigest(e.To.Digest) != nil {
			continue // leads nowhere
		}
		m.reached[e.To.Digest] = struct{}{}
		n := markNode{digest: e.To.Digest, need: mayBeAbsent, sniff: !content.HasEdges(e.To.MediaType)}
		if from.need == weak {
			n.need = weak
		}
		switch {
		case e.Role == content.RoleSubject:
			subjects = append(subjects, n)
		case e.Role == content.RoleManifest || !n.sniff:
			nodes = append(nodes, n)
		}
	}
	return nodes, subjects
}

// readAll reads manifests; nil stands for what has no edges.
func (m *marker) readAll(ctx context.Context, level []markNode) ([]*content.Manifest, error) {
	found := make([]*content.Manifest, len(level))
	workers := max(2, runtime.GOMAXPROCS(0))
	group, ctx := errgroup.WithContext(ctx)
	for w := range workers {
		group.Go(func() error {
			for i := w; i < len(level); i += workers {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				var err error
				if found[i], err = m.readNode(ctx, level[i]); err != nil {
					return content.AtDigest(level[i].digest, err)
				}
			}
			return nil
		})
	}
	return found, group.Wait()
}

// readNode reads what a node refers to; nil if it is no manifest, or may be absent
// and is.
func (m *marker) readNode(ctx context.Context, n markNode) (*content.Manifest, error) {
	if n.sniff || n.need == weak {
		found, err := m.sniff(ctx, n.digest)
		if n.need == weak && ctx.Err() == nil {
			return found, nil
		}
		if !errors.Is(err, content.ErrNotFound) {
			return found, err
		}
		return nil, n.absent()
	}
	limit := m.r.o.Limits.Manifest
	if n.list {
		limit = m.r.o.Limits.Index // one subject may have very many referrers
	}
	manifest, err := m.manifest(ctx, n.digest, limit)
	if errors.Is(err, content.ErrNotFound) {
		return nil, n.absent()
	}
	if err != nil {
		return nil, err
	}
	return &manifest, nil
}

// absent is the error of a node that is not there.
func (n markNode) absent() error {
	if n.need != needed || !content.Verifiable(n.digest) {
		return nil
	}
	return content.Errorf(content.ErrMissing, "an entry of index.json leads to it, and it is missing: bring it back, or take the entry away")
}

var manifestBuffers = sync.Pool{New: func() any { b := make([]byte, smallManifest); return &b }}

// manifest reads a manifest by its digest alone: descriptors may lie about size and
// media type, and what it reaches is the same. Bytes under a digest that can't be
// verified are taken as they are.
func (m *marker) manifest(ctx context.Context, d content.Digest, limit int64) (content.Manifest, error) {
	buf := manifestBuffers.Get().(*[]byte)
	defer manifestBuffers.Put(buf)
	data := *buf
	if n, ok := m.r.ReadSmall(d, data); ok {
		data = data[:n]
	} else {
		f, err := m.r.ReaderAt(ctx, d)
		if err != nil {
			return content.Manifest{}, err
		}
		defer func() { _ = f.Close() }() // only read
		if f.Size() > limit {
			return content.Manifest{}, content.Errorf(content.ErrRefused, "a manifest of %d bytes is over the limit of %d", f.Size(), limit)
		}
		if data, err = io.ReadAll(io.NewSectionReader(f, 0, f.Size())); err != nil {
			return content.Manifest{}, err
		}
	}
	if content.Verifiable(d) && d.Algorithm().FromBytes(data) != d {
		return content.Manifest{}, content.Errorf(content.ErrDigest, "the bytes of a manifest are not those of its digest, so nobody knows what it reaches")
	}
	return ParseManifest("", data)
}

// sniff reads a blob that nobody says to be a manifest, if it looks like one; nil if
// it does not. Of others, such as layers, only the beginning is read.
func (m *marker) sniff(ctx context.Context, d content.Digest) (*content.Manifest, error) {
	f, info, err := durable.OpenRegular((dirSource{m.r.path}).path(blobPath(d)))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, content.ErrRefused) {
		return nil, content.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	var first [64]byte
	n, err := f.ReadAt(first[:], 0)
	if err != nil && err != io.EOF || info.Size() > m.r.o.Limits.Manifest {
		return nil, err
	}
	i, err := skipSpace(first[:n], 0)
	if err != nil || first[i] != '{' {
		return nil, nil
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, info.Size()))
	if err != nil || !content.HasEdges(guessMediaType(data)) {
		return nil, err
	}
	found, err := m.manifest(ctx, d, m.r.o.Limits.Manifest)
	return &found, err
}
