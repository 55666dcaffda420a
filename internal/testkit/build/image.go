package build

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// Blobs is content by its digest.
type Blobs map[content.Digest][]byte

// Put adds a blob and returns its descriptor.
func (b Blobs) Put(mediaType string, data []byte) content.Descriptor {
	d := Descriptor(mediaType, data)
	b[d.Digest] = data
	return d
}

// JSON adds v in compact JSON.
func (b Blobs) JSON(mediaType string, v any) content.Descriptor {
	return b.Put(mediaType, JSON(v))
}

// Digests lists the blobs in order.
func (b Blobs) Digests() []content.Digest { return slices.Sorted(maps.Keys(b)) }

// Descriptor describes data by its sha256.
func Descriptor(mediaType string, data []byte) content.Descriptor {
	return content.Descriptor{MediaType: mediaType, Digest: sha256of(data), Size: int64(len(data))}
}

// JSON is v in compact JSON.
func JSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("%T: %v", v, err))
	}
	return data
}

// A Layer of an image, from its files or, if there are any, from the bytes of Tar.
type Layer struct {
	Files       []File
	Tar         []byte
	Compression string // "gzip" if empty; "none" or "zstd"
	MediaType   string // that of Compression if empty
}

// Plain is the layer's uncompressed tar, whose digest is its diffID.
func (l Layer) Plain() []byte {
	if l.Tar != nil {
		return l.Tar
	}
	return Tar(l.Files...)
}

// An Image to build. The zero value is a linux/amd64 image of one gzip layer.
type Image struct {
	Platform    content.Platform // linux/amd64 if its OS is empty
	Layers      []Layer          // one with the file etc/motd if nil
	Docker      bool             // with docker's media types
	Annotations map[string]string
	Subject     *content.Descriptor
	// EditConfig and EditManifest, if set, change what is encoded.
	EditConfig   func(*ocispec.Image)
	EditManifest func(*ocispec.Manifest)
}

func (i Image) layers() []Layer {
	if i.Layers != nil {
		return i.Layers
	}
	return []Layer{{Files: []File{Dir("etc"), Text("etc/motd", "hello\n")}}}
}

// Config encodes the image's config.
func (i Image) Config() []byte {
	c := ocispec.Image{Created: &Clock, Platform: i.Platform}
	if c.OS == "" {
		c.Platform = content.Platform{OS: "linux", Architecture: "amd64"}
	}
	c.Config = ocispec.ImageConfig{Cmd: []string{"/bin/hello"}, Env: []string{"PATH=/bin"}}
	c.RootFS.Type = "layers"
	for n, l := range i.layers() {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, sha256of(l.Plain()))
		c.History = append(c.History, ocispec.History{Created: &Clock, CreatedBy: fmt.Sprintf("COPY %d /", n)})
	}
	c.History = append(c.History, ocispec.History{Created: &Clock, CreatedBy: "CMD /bin/hello", EmptyLayer: true})
	if i.EditConfig != nil {
		i.EditConfig(&c)
	}
	return JSON(c)
}

// Image adds an image's layers, config and manifest, and returns the descriptor
// of the manifest with its platform.
func (b Blobs) Image(i Image) content.Descriptor {
	configType, manifestType := ocispec.MediaTypeImageConfig, ocispec.MediaTypeImageManifest
	if i.Docker {
		configType, manifestType = content.DockerConfig, content.DockerManifest
	}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: manifestType,
		Config: b.Put(configType, i.Config()), Layers: []content.Descriptor{},
		Annotations: i.Annotations, Subject: i.Subject,
	}
	for _, l := range i.layers() {
		m.Layers = append(m.Layers, b.layer(l, i.Docker))
	}
	if i.EditManifest != nil {
		i.EditManifest(&m)
	}
	d := b.JSON(manifestType, m)
	p := i.Platform
	if p.OS == "" {
		p = content.Platform{OS: "linux", Architecture: "amd64"}
	}
	d.Platform = &p
	return d
}

func (b Blobs) layer(l Layer, docker bool) content.Descriptor {
	if l.Compression == "" {
		l.Compression = "gzip"
	}
	if l.MediaType == "" {
		l.MediaType = layerType(l.Compression, docker)
	}
	return b.Put(l.MediaType, Compress(l.Compression, l.Plain()))
}

func layerType(compression string, docker bool) string {
	base, join := ocispec.MediaTypeImageLayer, "+"
	if docker {
		base, join = content.DockerLayer, "."
	}
	if compression == "none" {
		return base
	}
	return base + join + compression
}

// Index adds an image index of the children.
func (b Blobs) Index(children ...content.Descriptor) content.Descriptor {
	return b.JSON(ocispec.MediaTypeImageIndex, IndexOf(children...))
}

// IndexOf is an image index of the children.
func IndexOf(children ...content.Descriptor) ocispec.Index {
	if children == nil {
		children = []content.Descriptor{}
	}
	return ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: children,
	}
}

// Artifact adds an artifact manifest of one file, with a subject if one is given.
func (b Blobs) Artifact(artifactType string, subject *content.Descriptor, file []byte) content.Descriptor {
	if subject != nil {
		plain := content.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
		subject = &plain
	}
	b[ocispec.DescriptorEmptyJSON.Digest] = []byte("{}")
	d := b.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: artifactType, Subject: subject,
		Config: content.Descriptor{
			MediaType: ocispec.MediaTypeEmptyJSON, Digest: ocispec.DescriptorEmptyJSON.Digest, Size: 2,
		},
		Layers: []content.Descriptor{b.Put("application/octet-stream", file)},
	})
	d.ArtifactType = artifactType
	return d
}
