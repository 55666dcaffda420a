package export

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// dockerArchive is an archive as docker save wrote it before Docker 25 and as its
// successors still load it: manifest.json, repositories, the configs, and each
// distinct layer once, as a plain tar.
type dockerArchive struct {
	loadables
	layers []*plainLayer
}

// A plainLayer is a layer and how many bytes it decompresses to. A size that is a
// guess is proven while the layer is written.
type plainLayer struct {
	imagefs.Layer
	src   Source
	size  int64
	known bool
}

// errLength says that a layer is not as long as it was guessed to be; its size is
// right by then.
var errLength = errors.New("layer has another length")

func newDockerArchive(ctx context.Context, p *plan) (archive, error) {
	if err := p.locateLayers(ctx); err != nil {
		return nil, err
	}
	images, rest := p.loadables()
	for _, e := range rest {
		if err := p.reject(e); err != nil {
			return nil, err
		}
	}
	if len(images.list) == 0 {
		return nil, content.Errorf(content.ErrUnsupported, "there is no image that docker could load")
	}
	a := &dockerArchive{loadables: images}
	if err := a.listLayers(); err != nil {
		return nil, err
	}
	return a, parallel(ctx, len(a.layers), func(ctx context.Context, i int) error { return a.layers[i].guess(ctx) })
}

// locateLayers finds the layers of the manifests that docker would get; those of
// other platforms may be missing.
func (p *plan) locateLayers(ctx context.Context) error {
	var needed []digestID
	for _, e := range p.entries.list {
		if !e.image {
			continue
		}
		if n := p.runnable(p.here(e.id)); n != nil {
			for i := range int(n.count) {
				needed = append(needed, p.layer(n, i).id)
			}
		}
	}
	_, err := p.locate(ctx, p.inDigestOrder(needed), true)
	return err
}

// reject says why an entry can't be left out: it is an image, or was chosen.
func (p *plan) reject(e entry) error {
	if !e.image && !e.chosen {
		return nil
	}
	n := p.here(e.id)
	if run := p.runnable(n); run != nil {
		n = run
	}
	return content.At(string(p.entries.name(e)), p.cannotLoad(n))
}

// listLayers lists the distinct layers by diffID.
func (a *dockerArchive) listLayers() error {
	seen := map[content.Digest]bool{}
	for _, image := range a.list {
		layers, err := a.layersOf(image.node)
		if err != nil {
			return err
		}
		for _, l := range layers {
			if !seen[l.DiffID] {
				seen[l.DiffID] = true
				a.layers = append(a.layers, &plainLayer{Layer: l, src: a.blob(a.find(l.Digest)).src})
			}
		}
	}
	slices.SortFunc(a.layers, func(a, b *plainLayer) int { return cmp.Compare(a.DiffID, b.DiffID) })
	return nil
}

// guess finds the layer's plain size without reading it: a gzip file claims it at
// its end. What no gzip file could have is not believed.
func (l *plainLayer) guess(ctx context.Context) error {
	r, err := l.src.ReaderAt(ctx, l.Digest)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	prefix := make([]byte, 6)
	n, err := r.ReadAt(prefix, 0)
	if err != nil && err != io.EOF {
		return err
	}
	switch compress.Detect(prefix[:n]) {
	case compress.None:
		l.size, l.known = r.Size(), true
	case compress.Gzip:
		l.size, _ = compress.GunzipSize(r, r.Size())
	}
	if l.size < r.Size()-r.Size()/100-1024 {
		l.size = 0 // of another member, or beyond 32 bits
	}
	return nil
}

// count reads the layer to its end to learn its size.
func (l *plainLayer) count(ctx context.Context, limits content.Limits) error {
	rc, err := imagefs.OpenLayer(ctx, l.src, l.Layer, limits)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	l.size = 0
	for {
		n, err := rc.Read((*buf)[:cap(*buf)])
		l.size += int64(n)
		switch {
		case err == io.EOF:
			l.known = true
			return nil
		case err != nil:
			return content.AtDigest(l.Digest, err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
}

// countUnknown learns the sizes of layers: those with no guess, or all that are
// not certain.
func (a *dockerArchive) countUnknown(ctx context.Context, guesses bool) error {
	var unknown []*plainLayer
	for _, l := range a.layers {
		if !l.known && (guesses || l.size == 0) {
			unknown = append(unknown, l)
		}
	}
	return parallel(ctx, len(unknown), func(ctx context.Context, i int) error { return unknown[i].count(ctx, a.o.Limits) })
}

// put writes the plain layer. Bytes beyond the guessed size are counted only.
func (l *plainLayer) put(ctx context.Context, f *filler, limits content.Limits) error {
	rc, err := imagefs.OpenLayer(ctx, l.src, l.Layer, limits)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	n, err := f.copy(ctx, rc, l.size)
	if err != nil {
		return content.AtDigest(l.Digest, err)
	}
	more, err := io.Copy(io.Discard, rc)
	switch {
	case err != nil:
		return content.AtDigest(l.Digest, err)
	case n+more == l.size:
		l.known = true
		return nil
	case l.known:
		return content.AtDigest(l.Digest, content.Errorf(content.ErrSize, "changed while it was read"))
	}
	l.size, l.known = n+more, true
	return errLength
}

// tarball lays the archive out with the sizes as they are known.
func (a *dockerArchive) tarball() (*tarball, error) {
	list := make([]docker.Image, len(a.list))
	configs := map[string]blob{}
	for i, image := range a.list {
		name := a.configName(image.node)
		configs[name] = a.blob(image.config)
		list[i] = docker.Image{Config: name, RepoTags: a.tags(image)}
		for l := range int(image.diffs) {
			list[i].Layers = append(list[i].Layers, layerName(a.digest(a.diffID(image.node, l))))
		}
	}
	manifest, err := docker.Marshal(list)
	if err != nil {
		return nil, err
	}
	members := memberList{dataMember(docker.ManifestName, manifest)}
	if repositories, err := a.repositories(); err != nil {
		return nil, err
	} else if repositories != nil {
		members = append(members, dataMember(docker.RepositoriesName, repositories))
	}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		config := configs[name]
		members = append(members, member{name: name, size: config.size,
			body: func(ctx context.Context, f *filler) error { return f.blob(ctx, config) }})
	}
	for _, l := range a.layers {
		members = append(members, member{name: layerName(l.DiffID), size: l.size,
			body: func(ctx context.Context, f *filler) error { return l.put(ctx, f, a.o.Limits) }})
	}
	return newTarball(members, a.o.Time)
}

func (a *dockerArchive) configName(n *node) string { return a.digest(n.config).Encoded() + ".json" }

func layerName(diffID content.Digest) string { return diffID.Encoded() + ".tar" }

// repositories names the top layer of each tag, for tools that list the tags of an
// archive by it; nil if there are none.
func (a *dockerArchive) repositories() ([]byte, error) {
	tops := map[string]map[string]string{}
	for _, image := range a.list {
		for _, tag := range a.tags(image) {
			if image.diffs == 0 {
				continue
			}
			colon := strings.LastIndexByte(tag, ':')
			if tops[tag[:colon]] == nil {
				tops[tag[:colon]] = map[string]string{}
			}
			tops[tag[:colon]][tag[colon+1:]] = a.digest(a.diffID(image.node, int(image.diffs)-1)).Encoded()
		}
	}
	if len(tops) == 0 {
		return nil, nil
	}
	return rawjson.Marshal(tops) // with sorted keys
}

func (a *dockerArchive) result() Result {
	r := a.resultOf()
	configs, taken := map[digestID]bool{}, map[digestID]bool{}
	for _, image := range a.list {
		configs[image.config], taken[image.id] = true, true
	}
	r.Artifacts, r.LeftOut = nil, a.besidesTaken(taken)
	r.Blobs = len(configs) + len(a.layers)
	return r
}

// writeFile writes the layers to their places by the sizes that their ends claim.
// If one of them lied, all sizes are counted and the archive is written again.
func (a *dockerArchive) writeFile(ctx context.Context, f *durable.File) (int64, error) {
	if err := a.countUnknown(ctx, false); err != nil {
		return 0, err
	}
	size, err := a.writeOnce(ctx, f)
	if !errors.Is(err, errLength) {
		return size, err
	}
	if err := a.countUnknown(ctx, true); err != nil {
		return 0, err
	}
	if err := f.Truncate(0); err != nil {
		return 0, err
	}
	return a.writeOnce(ctx, f)
}

func (a *dockerArchive) writeOnce(ctx context.Context, f *durable.File) (int64, error) {
	t, err := a.tarball()
	if err != nil {
		return 0, err
	}
	if err := f.Truncate(t.total); err != nil {
		return 0, err
	}
	return t.total, t.writeAt(ctx, f)
}

// writeStream counts first, which also proves every layer before a byte leaves:
// a header that is out can't be corrected.
func (a *dockerArchive) writeStream(ctx context.Context, w io.Writer) (int64, error) {
	if err := a.countUnknown(ctx, true); err != nil {
		return 0, err
	}
	t, err := a.tarball()
	if err != nil {
		return 0, err
	}
	return t.total, t.writeTo(ctx, w)
}
