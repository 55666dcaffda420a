package export

import (
	"context"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/layout"
)

// A loadable is an image as docker load sees one: a manifest, with the names of
// all entries that lead to it.
type loadable struct {
	*node
	first, last int32 // entries; loadables.next has those between
}

// loadables are the images among the entries that docker can load, in order.
type loadables struct {
	*plan
	list []loadable
	next []int32 // by entry: the next one of the same image; 0 after the last
}

// loadables lists them. Entries of images that docker cannot load, and of what is no
// image, come back as rest.
func (p *plan) loadables() (images loadables, rest []entry) {
	images = loadables{plan: p, next: make([]int32, len(p.entries.list))}
	place := map[digestID]int{}
	for i, e := range p.entries.list {
		var n *node
		if e.image {
			n = p.runnable(p.here(e.id))
		}
		if n == nil || p.cannotLoad(n) != nil {
			rest = append(rest, e)
			continue
		}
		if at, ok := place[n.id]; ok {
			images.next[images.list[at].last] = int32(i)
			images.list[at].last = int32(i)
			continue
		}
		place[n.id] = len(images.list)
		images.list = append(images.list, loadable{n, int32(i), int32(i)})
	}
	return images, rest
}

// tags are the names of an image as docker takes them, each once.
func (l loadables) tags(image loadable) []string {
	var tags []string
	for i := image.first; ; i = l.next[i] {
		tag := l.dockerTag(string(l.entries.name(l.entries.list[i])))
		if tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
		if i == image.last {
			return tags
		}
	}
}

// runnable is the manifest that docker gets of an image: of an index the child
// for the first of Platforms that it has, else for linux/amd64, else the first,
// never the one for this machine. It is nil if there is none.
func (p *plan) runnable(n *node) *node {
	var manifests []*node
	var platforms []content.Platform
	var list func(n *node, known *content.Platform)
	list = func(n *node, known *content.Platform) {
		if known == nil {
			known = p.platforms.platform(n.platform)
		}
		if n.is(isImage) && known != nil {
			manifests, platforms = append(manifests, n), append(platforms, *known)
		}
		for _, c := range p.childrenOf(n) {
			if child := p.here(c.id); child != nil && !c.attestation {
				list(child, p.platforms.platform(c.platform))
			}
		}
	}
	list(n, nil)
	for _, want := range append(slices.Clone(p.o.Platforms), content.Platform{OS: "linux", Architecture: "amd64"}) {
		for i, have := range platforms {
			if content.MatchPlatform(want, have) {
				return manifests[i]
			}
		}
	}
	if len(manifests) == 0 {
		return nil
	}
	return manifests[0]
}

// cannotLoad says why docker would not load an image; nil if it would.
func (p *plan) cannotLoad(n *node) error {
	if !n.is(isImage) {
		return content.AtDigest(p.digest(n.id), content.Errorf(content.ErrUnsupported, "not an image"))
	}
	for i := range int(n.count) {
		l := p.layer(n, i)
		if mediaType := p.words.text(l.mediaType); !content.IsLayer(mediaType) {
			return content.AtDigest(p.digest(l.id), content.Errorf(content.ErrUnsupported, "%q is not a layer that can be read", mediaType))
		}
		if !p.is(l.id, isBlob) {
			return content.AtDigest(p.digest(l.id), content.Errorf(content.ErrMissing, "foreign layer is not in the layout"))
		}
	}
	_, err := p.layersOf(n)
	return err
}

// layersOf pairs the layers of an image with its diffIDs.
func (p *plan) layersOf(n *node) ([]imagefs.Layer, error) {
	layers := make([]content.Descriptor, n.count)
	for i := range layers {
		l := p.layer(n, i)
		layers[i] = content.Descriptor{MediaType: p.words.text(l.mediaType), Digest: p.digest(l.id), Size: p.item(l.id).size}
	}
	diffIDs := make([]content.Digest, n.diffs)
	for i := range diffIDs {
		diffIDs[i] = p.digest(p.diffID(n, i))
	}
	paired, err := imagefs.Layers(layers, diffIDs)
	return paired, content.AtDigest(p.digest(n.id), err)
}

// dockerTag is a name as docker load takes it, or "" for one that it would refuse:
// a bare tag names no repository. It is the short form, as docker save writes it; an
// archive for a consumer has the long one, since podman means localhost/app by app.
func (p *plan) dockerTag(name string) string {
	full, _, ok := layout.NormalizeName(name)
	switch {
	case !ok:
		return ""
	case p.o.For != "":
		return full
	}
	// Docker 20.10, podman 4.3 and skopeo 1.9 know a registry by its dot or port alone, not
	// by capital letters, and for one name that they can't read refuse the whole archive.
	if first, _, _ := strings.Cut(full, "/"); !strings.ContainsAny(first, ".:") && strings.ToLower(first) != first {
		return ""
	}
	return layout.FamiliarName(full)
}

// ociManifest is docker's manifest.json of images whose configs and layers are blobs
// of a layout.
type ociManifest struct{ loadables }

// each calls write with the bytes of the images, one after the other.
func (m ociManifest) each(ctx context.Context, write func(raw []byte) error) error {
	for i, image := range m.list {
		one := docker.Image{Config: blobName(m.digest(image.config)), RepoTags: m.tags(image)}
		for l := range int(image.count) {
			one.Layers = append(one.Layers, blobName(m.digest(m.layer(image.node, l).id)))
		}
		raw, err := docker.Marshal([]docker.Image{one})
		if err != nil {
			return err
		}
		if raw = raw[:len(raw)-1]; i > 0 {
			raw[0] = ',' // in place of the bracket
		}
		if err := write(raw); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return write([]byte("]"))
}

func (m ociManifest) size(ctx context.Context) (size int64, err error) {
	err = m.each(ctx, func(raw []byte) error {
		size += int64(len(raw))
		return nil
	})
	return size, err
}

func (m ociManifest) write(ctx context.Context, f *filler) error {
	return m.each(ctx, func(raw []byte) error {
		_, err := f.Write(raw)
		return err
	})
}
