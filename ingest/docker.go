package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/internal/tarx"
	"github.com/ocilayout/ocilayout/layout"
)

// planDocker makes manifests of the images that manifest.json lists.
func (im *importer) planDocker(ctx context.Context) ([]root, error) {
	images, err := im.dockerImages(ctx)
	if err != nil {
		return nil, err
	}
	type named struct {
		name  string
		image int
	}
	var all []named
	var names []string
	for i, image := range images {
		tags := image.RepoTags
		if len(tags) == 0 {
			tags = []string{""}
		}
		for _, tag := range tags {
			if err := checkForeignName(tag); err != nil {
				return nil, content.At(docker.ManifestName, err)
			}
			all, names = append(all, named{tag, i}), append(names, tag)
		}
	}
	picked := im.names.pick(names)
	made := map[int]layout.Entry{}
	var roots []root
	for i, n := range all {
		if !picked[i] {
			if n.name != "" {
				im.left = append(im.left, n.name)
			}
			continue
		}
		entry, ok := made[n.image]
		if !ok {
			if entry, err = im.dockerImage(ctx, images[n.image]); err != nil {
				return nil, err
			}
			made[n.image] = entry
		}
		roots = append(roots, root{name: n.name, raw: entry.Raw})
	}
	return roots, nil
}

// dockerImages reads manifest.json.
func (im *importer) dockerImages(ctx context.Context) ([]docker.Image, error) {
	if _, ok := im.members[docker.ManifestName]; !ok {
		return nil, im.unknownArchive()
	}
	m, err := im.resolve(docker.ManifestName)
	if err != nil {
		return nil, err
	}
	data, err := im.bytes(ctx, m)
	if err != nil {
		return nil, err
	}
	images, err := docker.Parse(data)
	if err == nil && len(images) == 0 {
		err = content.Errorf(content.ErrCorrupt, "lists no image")
	}
	return images, content.At(docker.ManifestName, err)
}

// unknownArchive says what the archive might be instead.
func (im *importer) unknownArchive() error {
	switch {
	case im.members[docker.RepositoriesName] != nil:
		return content.Errorf(content.ErrUnsupported, "is an archive from before Docker 1.10, which has no %s", docker.ManifestName)
	case len(im.members) == 0:
		return content.Errorf(content.ErrCorrupt, "is empty or no tar archive")
	}
	return content.Errorf(content.ErrUnsupported,
		"has neither %s nor %s at its top; for a root filesystem say so (rootfs)", indexName, docker.ManifestName)
}

// bytes gives what a member holds, which its kind has bounded to the limit of a
// manifest.
func (im *importer) bytes(ctx context.Context, m *member) ([]byte, error) {
	switch {
	case m.data != nil:
		return m.data, nil
	case m.stored == "" || m.layer != nil:
		return nil, content.At(m.name, content.Errorf(content.ErrCorrupt, "is not JSON"))
	}
	data, err := content.FetchAll(ctx, im.batch, content.Descriptor{Digest: m.stored, Size: m.length}, im.o.Limits.Manifest)
	return data, content.At(m.name, err)
}

// dockerImage makes an OCI manifest of one image, and wants all it is made of.
func (im *importer) dockerImage(ctx context.Context, image docker.Image) (layout.Entry, error) {
	conf, data, err := im.dockerConfig(ctx, image.Config)
	if err != nil {
		return layout.Entry{}, err
	}
	var parsed ocispec.Image
	if err := json.Unmarshal(data, &parsed); err != nil {
		return layout.Entry{}, content.At(image.Config, content.Errorf(content.ErrCorrupt, "not an image config: %w", err))
	}
	diffIDs := parsed.RootFS.DiffIDs
	if len(diffIDs) != len(image.Layers) {
		return layout.Entry{}, content.At(image.Config, content.Errorf(content.ErrCorrupt,
			"lists %d layers, %s %d", len(diffIDs), docker.ManifestName, len(image.Layers)))
	}
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: conf.stored, Size: conf.length},
		Layers:    make([]content.Descriptor, 0, len(diffIDs)),
	}
	for i, name := range image.Layers {
		d, err := im.dockerLayer(ctx, name, diffIDs[i])
		if err != nil {
			return layout.Entry{}, err
		}
		manifest.Layers = append(manifest.Layers, d)
	}
	return im.addManifest(manifest, parsed.Platform)
}

// addManifest stores a manifest made here and gives an entry for it.
func (im *importer) addManifest(manifest ocispec.Manifest, platform content.Platform) (layout.Entry, error) {
	data, err := rawjson.Marshal(manifest)
	if err != nil {
		return layout.Entry{}, err
	}
	d := content.Descriptor{MediaType: manifest.MediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	if platform.OS != "" && platform.Architecture != "" {
		d.Platform = &platform
	}
	im.make(data)
	return layout.NewEntry(d), nil
}

// make adds a blob that no archive has, and wants it.
func (im *importer) make(data []byte) *member {
	m := &member{data: data, stored: digest.FromBytes(data), length: int64(len(data))}
	im.blobs[m.stored] = m
	im.keep(m)
	return m
}

// dockerConfig finds an image's config. Its member is called by its digest,
// which then is proven.
func (im *importer) dockerConfig(ctx context.Context, listed string) (*member, []byte, error) {
	m, err := im.listed(listed)
	if err != nil {
		return nil, nil, err
	}
	data, err := im.bytes(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	got := digest.FromBytes(data)
	name := strings.TrimPrefix(strings.TrimSuffix(path.Base(listed), ".json"), "sha256:")
	if want := content.Digest("sha256:" + name); content.CheckDigest(want) == nil && want != got {
		return nil, nil, content.At(listed, content.Errorf(content.ErrDigest, "bytes have digest %s", got))
	}
	if err := rawjson.Check(data, configDepth); err != nil {
		return nil, nil, content.At(listed, content.Errorf(content.ErrCorrupt, "not an image config: %w", err))
	}
	im.keep(m)
	return m, data, nil
}

// configDepth is how deep the values of a config may nest.
const configDepth = 32

// listed finds a member by its name in manifest.json.
func (im *importer) listed(name string) (*member, error) {
	clean, err := tarx.CleanName(name)
	if err != nil {
		return nil, content.At(docker.ManifestName, err)
	}
	return im.resolve(clean)
}

// dockerLayer finds a layer, which must be the one that the config's diffID means,
// and wants it.
func (im *importer) dockerLayer(ctx context.Context, name string, diffID content.Digest) (content.Descriptor, error) {
	m, err := im.listed(name)
	if err != nil {
		return content.Descriptor{}, err
	}
	if err := im.asLayer(ctx, m); err != nil {
		return content.Descriptor{}, content.At(name, err)
	}
	if m.layer.diffID != diffID {
		return content.Descriptor{}, content.At(name, content.Errorf(content.ErrDigest,
			"layer has diffID %s, its config says %q", m.layer.diffID, string(diffID)))
	}
	im.keep(m)
	return content.Descriptor{MediaType: m.layer.mediaType, Digest: m.stored, Size: m.length}, nil
}

// asLayer stores a member as a layer that did not look like one when it passed: a
// blob of an archive without index.json, or an odd small file.
func (im *importer) asLayer(ctx context.Context, m *member) error {
	if m.layer != nil || m.stored == "" {
		return m.fault
	}
	stored := content.Descriptor{Digest: m.stored, Size: m.length}
	rc, err := im.open(ctx, m, stored)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	prefix := make([]byte, tarx.BlockSize)
	n, err := io.ReadFull(rc, prefix)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	prefix = prefix[:n]
	again := &member{name: m.name, size: m.size}
	if err := im.takeLayer(ctx, again, prefix, io.MultiReader(bytes.NewReader(prefix), rc)); err != nil {
		return err
	}
	if again.fault != nil {
		return again.fault
	}
	im.blobs[again.stored] = again
	m.layer, m.stored, m.length, m.data = again.layer, again.stored, again.length, nil
	return nil
}

// open reads what is stored of a member.
func (im *importer) open(ctx context.Context, m *member, d content.Descriptor) (io.ReadCloser, error) {
	if m.data != nil {
		return io.NopCloser(bytes.NewReader(m.data)), nil
	}
	return im.batch.Fetch(ctx, d)
}
