package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// A Narrowing says that a new index, which lists only what was taken, stands in place of
// an old one.
type Narrowing struct {
	Old content.Digest `json:"old"`
	New content.Digest `json:"new"`
	// Left is the number of referrers of the old index, and of what cosign made for it: none
	// of that follows. Nobody counts it where referrers are left out.
	Left int `json:"left"`
}

// A Narrower makes indexes that list only what is taken of others. It reads what it made
// as it reads all else: it stands in place of the source that it was made of. Narrow must
// not run beside other calls.
type Narrower struct {
	from      content.Fetcher
	platforms []content.Platform
	limits    content.Limits
	made      map[content.Digest][]byte
	done      map[content.Digest]content.Descriptor // what became of indexes; of nothing the zero one
	nodes     int
	news      []Narrowing
}

// NewNarrower reads from a source, and takes of indexes what is there and WantsChild
// wants of the platforms.
func NewNarrower(from content.Fetcher, platforms []content.Platform, limits content.Limits) *Narrower {
	return &Narrower{from: from, platforms: platforms, limits: limits.WithDefaults(), made: map[content.Digest][]byte{}, done: map[content.Digest]content.Descriptor{}}
}

// Narrow returns what stands in place of d, and which indexes were made for that and were
// not before: d itself, and none, if all of it is taken or it is no index. What the new
// index does not list apart it has from the old one, byte for byte. An index of which
// nothing is taken is ErrNotFound.
func (n *Narrower) Narrow(ctx context.Context, d content.Descriptor) (content.Descriptor, []Narrowing, error) {
	n.nodes, n.news = 0, nil
	if !content.IsIndex(d.MediaType) {
		return d, nil, nil
	}
	narrowed, err := n.index(ctx, d, 0)
	if err == nil && narrowed.Digest == "" {
		err = content.AtDigest(d.Digest, content.Errorf(content.ErrNotFound, "nothing in the index is there and for the platforms asked for"))
	}
	if err != nil {
		return d, nil, err
	}
	if narrowed.Digest == d.Digest {
		return d, n.news, nil
	}
	return narrowed, n.news, nil
}

// index is what stands in place of an index: the zero descriptor if nothing of it is taken.
func (n *Narrower) index(ctx context.Context, d content.Descriptor, depth int) (content.Descriptor, error) {
	if narrowed, ok := n.done[d.Digest]; ok {
		return narrowed, nil
	}
	if depth > n.limits.Depth {
		return d, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest too deep"))
	}
	m, data, err := content.FetchManifest(ctx, n.from, d, n.limits)
	if err != nil {
		return d, err
	}
	index, err := rawjson.Parse(data)
	if err != nil {
		return d, content.AtDigest(d.Digest, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	var children, kept []json.RawMessage
	if len(m.Manifests) > 0 {
		if err := json.Unmarshal(index.Get("manifests"), &children); err != nil || len(children) != len(m.Manifests) {
			return d, content.AtDigest(d.Digest, content.Errorf(content.ErrCorrupt, "its manifests are no list"))
		}
	}
	changed := false
	for i, child := range m.Manifests {
		raw, err := n.child(ctx, m, child, children[i], depth)
		if err != nil {
			return d, err
		}
		if raw != nil {
			kept = append(kept, raw)
		}
		changed = changed || !bytes.Equal(raw, children[i])
	}
	switch {
	case changed && len(kept) == 0:
		d = content.Descriptor{}
	case changed:
		data = withManifests(index, kept)
		made := content.Descriptor{MediaType: d.MediaType, Digest: digest.SHA256.FromBytes(data), Size: int64(len(data))}
		n.made[made.Digest] = data
		n.news = append(n.news, Narrowing{Old: d.Digest, New: made.Digest})
		n.done[d.Digest] = made
		return made, nil
	}
	n.done[d.Digest] = d
	return d, nil
}

// child is what stands in a new index for a child of the old one; nil is nothing.
func (n *Narrower) child(ctx context.Context, index content.Manifest, child content.Descriptor, raw json.RawMessage, depth int) (json.RawMessage, error) {
	if n.nodes++; n.nodes > n.limits.Nodes {
		return nil, content.AtDigest(child.Digest, content.Errorf(content.ErrRefused, "there are too many manifests"))
	}
	switch {
	case !WantsChild(ctx, n.from, index, child, n.platforms, n.limits):
		return nil, nil
	case !content.HasEdges(child.MediaType):
		return raw, nil
	case !content.IsIndex(child.MediaType):
		_, _, err := content.FetchManifest(ctx, n.from, child, n.limits)
		if errors.Is(err, content.ErrNotFound) {
			return nil, nil
		}
		return raw, err
	}
	narrowed, err := n.index(ctx, child, depth+1)
	if errors.Is(err, content.ErrNotFound) || err == nil && narrowed.Digest == "" {
		return nil, nil
	}
	if err != nil || narrowed.Digest == child.Digest {
		return raw, err
	}
	return pointedTo(raw, narrowed)
}

// pointedTo is a descriptor of other content, with all else that it has.
func pointedTo(raw json.RawMessage, d content.Descriptor) (json.RawMessage, error) {
	o, err := rawjson.Parse(raw)
	if err != nil {
		return nil, err
	}
	size, err := rawjson.Marshal(d.Size)
	if err != nil {
		return nil, err
	}
	o.SetString("digest", d.Digest.String())
	o.Set("size", size)
	o.Delete("data")
	return o.Bytes(), nil
}

// WithManifests is an index with other manifests, and all else that it has.
func WithManifests(index []byte, manifests []json.RawMessage) ([]byte, error) {
	o, err := rawjson.Parse(index)
	if err != nil {
		return nil, err
	}
	return withManifests(o, manifests), nil
}

func withManifests(index *rawjson.Object, manifests []json.RawMessage) []byte {
	index.Set("manifests", rawjson.Array(manifests))
	return index.Bytes()
}

// Made returns the bytes of an index that was made, or nil.
func (n *Narrower) Made(d content.Digest) []byte { return n.made[d] }

// Fetch opens verified content, of what was made and of the source.
func (n *Narrower) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if content.HasEdges(d.MediaType) && n.made[d.Digest] != nil {
		return content.Verify(io.NopCloser(bytes.NewReader(n.made[d.Digest])), d), nil
	}
	return n.from.Fetch(ctx, d)
}

// directory lets files be shared, as without a Narrower.
func (n *Narrower) directory() (dirSource, bool) {
	r, ok := n.from.(interface{ directory() (dirSource, bool) })
	if !ok {
		return dirSource{}, false
	}
	return r.directory()
}
