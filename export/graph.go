package export

import (
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// A sourceID stands for a Source.
type sourceID uint32

// A flag is something that is so of an item or a node.
type flag uint8

// The flags of items.
const (
	isBlob    flag = 1 << iota // it goes into the archive
	isForeign                  // everything that refers to it allows it to be absent
	hasOthers                  // it may come from another source as well: see graph.besides
	isUnnamed                  // it has an entry without a name
)

// An item is what is known of a digest. There may be hundreds of thousands of items,
// so that they, and what they lead to, hold numbers in place of texts and pointers.
type item struct {
	size  int64  // of a blob, and of what has a node
	data  uint32 // where its proven bytes are, if they were read already and kept; see kept
	node  uint32 // 1 + the place of its node; 0 if it has none
	src   sourceID
	flags flag
}

// The flags of nodes.
const (
	isAbsent flag = 1 << iota
	isImage       // one that can run, by its config
	isParent      // it has children, not layers
)

// A node is what matters here of a manifest or index.
type node struct {
	id                      digestID
	mediaType, artifactType wordID // the artifactType of no image
	subject, config         digestID
	platform                platformID // of an image, from its config
	first, count            uint32     // of a parent, its children that are followed; else layers
	firstDiff, diffs        uint32     // diffIDs of an image
	src                     sourceID
	flags                   flag
}

func (n *node) is(f flag) bool { return n.flags&f != 0 }

// A child is an edge from an index.
type child struct {
	id          digestID
	platform    platformID // as the index says
	attestation bool
}

// A layer is an edge from a manifest.
type layer struct {
	id        digestID
	mediaType wordID
}

// A mention is content that is not in the archive, as something refers to it.
type mention struct {
	id        digestID
	mediaType wordID
	platform  platformID
	size      int64
}

// A graph is what roots reach.
type graph struct {
	*digests
	words     *words
	platforms *platforms
	sources   []Source
	sourceIDs map[Source]sourceID
	items     list[item] // by digestID
	nodes     list[node]
	children  list[child]
	layers    list[layer]
	diffIDs   list[digestID]
	besides   map[digestID][]sourceID // where else blobs come from
	blobs     int                     // how many items are blobs
	kept      kept
	absent    []mention
	leftOut   []mention
}

func newGraph() *graph {
	return &graph{digests: newDigests(), words: newWords(), platforms: newPlatforms(), sourceIDs: map[Source]sourceID{}, besides: map[digestID][]sourceID{}}
}

// source is the number of a source, which gets one if it has none.
func (g *graph) source(src Source) sourceID {
	id, ok := g.sourceIDs[src]
	if !ok {
		id = sourceID(len(g.sources))
		g.sourceIDs[src] = id
		g.sources = append(g.sources, src)
	}
	return id
}

// item is what is known of a digest.
func (g *graph) item(id digestID) *item {
	for g.items.len() <= int(id) {
		g.items.add(item{})
	}
	return g.items.at(int(id))
}

// is says whether a digest has a flag.
func (g *graph) is(id digestID, f flag) bool {
	return int(id) < g.items.len() && g.items.at(int(id)).flags&f != 0
}

// node is the node of a digest; nil if there is none.
func (g *graph) node(id digestID) *node {
	if int(id) >= g.items.len() || g.items.at(int(id)).node == 0 {
		return nil
	}
	return g.nodes.at(int(g.items.at(int(id)).node) - 1)
}

// here is the node of a manifest that is in the archive; nil if there is none.
func (g *graph) here(id digestID) *node {
	if n := g.node(id); n != nil && !n.is(isAbsent) {
		return n
	}
	return nil
}

// enter gives a digest its node. One that it has already, for what was absent, is
// replaced.
func (g *graph) enter(n node, size int64) *node {
	it := g.item(n.id)
	if it.node == 0 {
		g.nodes.add(node{})
		it.node = uint32(g.nodes.len())
	}
	if it.flags&isBlob == 0 {
		it.size = size
	}
	to := g.nodes.at(int(it.node) - 1)
	*to = n
	return to
}

// childrenOf lists the edges from an index.
func (g *graph) childrenOf(n *node) []child {
	if !n.is(isParent) {
		return nil
	}
	list := make([]child, n.count)
	for i := range list {
		list[i] = *g.children.at(int(n.first) + i)
	}
	return list
}

func (g *graph) mediaType(n *node) string { return g.words.text(n.mediaType) }

// layer is layer i of a manifest.
func (g *graph) layer(n *node, i int) *layer { return g.layers.at(int(n.first) + i) }

// diffID is diffID i of an image.
func (g *graph) diffID(n *node, i int) digestID { return *g.diffIDs.at(int(n.firstDiff) + i) }

// blob is a blob that goes into the archive.
func (g *graph) blob(id digestID) blob {
	it := g.items.at(int(id))
	return blob{id: id, graph: g, size: it.size, src: g.sources[it.src], data: g.kept.get(it.data, it.size)}
}

// report lists what is not in the archive after all, each once, by digest.
func (g *graph) report(list []mention) []content.Descriptor {
	return g.unique(slices.DeleteFunc(slices.Clone(list), func(m mention) bool { return g.is(m.id, isBlob) }))
}

func (g *graph) unique(list []mention) []content.Descriptor {
	slices.SortStableFunc(list, func(a, b mention) int { return g.compare(a.id, b.id) })
	list = slices.CompactFunc(list, func(a, b mention) bool { return a.id == b.id })
	var descriptors []content.Descriptor
	for _, m := range list {
		descriptors = append(descriptors, content.Descriptor{
			MediaType: g.words.text(m.mediaType), Digest: g.digest(m.id), Size: m.size, Platform: g.platforms.platform(m.platform),
		})
	}
	return descriptors
}

// mention notes content as a descriptor mentions it.
func (g *graph) mention(d content.Descriptor) mention {
	return mention{g.id(d.Digest), g.words.id(d.MediaType), g.platforms.id(d.Platform), d.Size}
}

// besidesTaken lists the manifests of a plan that an archive of images has no place
// for: all that were not taken.
func (g *graph) besidesTaken(taken map[digestID]bool) []content.Descriptor {
	list := slices.Clone(g.leftOut)
	for i := range g.nodes.len() {
		n := g.nodes.at(i)
		if !n.is(isAbsent) && !taken[n.id] && !content.IsIndex(g.mediaType(n)) {
			list = append(list, mention{n.id, n.mediaType, n.platform, g.items.at(int(n.id)).size})
		}
	}
	return g.unique(list)
}
