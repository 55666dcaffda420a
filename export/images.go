package export

import (
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/layout"
)

// A loadable is an image as docker load sees one: a manifest, with the names of
// all entries that lead to it.
type loadable struct {
	*node
	tags []string
}

// loadables lists the images among the entries that docker can load, in order.
// Entries of images that it cannot load come back as rest.
func (p *plan) loadables() (images []loadable, rest []entry) {
	place := map[content.Digest]int{}
	for _, e := range p.entries {
		var n *node
		if e.image {
			n = p.runnable(e.node)
		}
		if n == nil || p.cannotLoad(n) != nil {
			rest = append(rest, e)
			continue
		}
		at, ok := place[n.Digest]
		if !ok {
			at = len(images)
			place[n.Digest] = at
			images = append(images, loadable{node: n})
		}
		if tag := dockerTag(e.name); tag != "" && !slices.Contains(images[at].tags, tag) {
			images[at].tags = append(images[at].tags, tag)
		}
	}
	return images, rest
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
			known = n.platform
		}
		if n.image && known != nil {
			manifests, platforms = append(manifests, n), append(platforms, *known)
		}
		for _, d := range n.children {
			if child := p.nodes[d.Digest]; child != nil && !child.absent && !content.IsAttestation(d) {
				list(child, d.Platform)
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
	if !n.image {
		return content.AtDigest(n.Digest, content.Errorf(content.ErrUnsupported, "not an image"))
	}
	for _, l := range n.layers {
		if !content.IsLayer(l.MediaType) {
			return content.AtDigest(l.Digest, content.Errorf(content.ErrUnsupported, "%q is not a layer that can be read", l.MediaType))
		}
		if p.blobs[l.Digest] == nil {
			return content.AtDigest(l.Digest, content.Errorf(content.ErrMissing, "foreign layer is not in the layout"))
		}
	}
	_, err := imagefs.Layers(n.layers, n.diffIDs)
	return content.AtDigest(n.Digest, err)
}

// dockerTag is a name as docker load takes it, or "" for one that it would refuse:
// a bare tag names no repository.
func dockerTag(name string) string {
	full, _, ok := layout.NormalizeName(name)
	if !ok {
		return ""
	}
	return layout.FamiliarName(full)
}

// dockerManifest is docker's manifest.json of the images, with the members that
// config and layers are in.
func dockerManifest(images []loadable, config, layer func(n *node, i int) string) ([]byte, error) {
	list := make([]docker.Image, len(images))
	for i, image := range images {
		list[i] = docker.Image{Config: config(image.node, 0), RepoTags: image.tags}
		for l := range image.layers {
			list[i].Layers = append(list[i].Layers, layer(image.node, l))
		}
	}
	return docker.Marshal(list)
}
