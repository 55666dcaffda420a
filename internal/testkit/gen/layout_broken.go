package gen

import (
	"archive/tar"
	"bytes"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// brokenBlobs have files that are not what their names or descriptors say.
func brokenBlobs() []vector.Vector {
	bad := func(name, problem, comment string, l *build.Layout) vector.Vector {
		return layoutOf(name, "corrupt", problem, specBlobs, comment, l)
	}
	// damage changes the bytes of the blob that which picks from the manifest.
	damage := func(which func(l *build.Layout) content.Digest, edit func([]byte) []byte) *build.Layout {
		return hello(func(l *build.Layout) {
			d := which(l)
			l.Blobs[d] = edit(l.Blobs[d])
		})
	}
	root := func(l *build.Layout) content.Digest { return l.Entries[0].Digest }
	config := func(l *build.Layout) content.Digest { return manifest(l).Config.Digest }
	layer := func(l *build.Layout) content.Digest { return manifest(l).Layers[0].Digest }
	flipped := func(data []byte) []byte { return flip(data, len(data)/2) }
	shorter := func(data []byte) []byte { return data[:len(data)-1] }
	return []vector.Vector{
		bad("layer-flipped", "blob-digest", "one bit of a layer is wrong", damage(layer, flipped)),
		bad("config-flipped", "blob-digest", "one bit of a config is wrong", damage(config, flipped)),
		bad("manifest-flipped", "blob-digest, unreferenced", "one bit of a manifest is wrong: what it refers to is not known", damage(root, flipped)),
		bad("layer-truncated", "blob-digest, blob-size", "a layer lacks its last byte", damage(layer, shorter)),
		bad("layer-longer", "blob-digest, blob-size", "a layer has a byte after its end",
			damage(layer, func(data []byte) []byte { return append(slices.Clone(data), 0) })),
		bad("layer-emptied", "blob-digest, blob-size", "a layer is an empty file", damage(layer, func([]byte) []byte { return nil })),
		bad("unreferenced-flipped", "blob-digest, unreferenced", "a blob that nothing refers to is not what its name says",
			hello(func(l *build.Layout) {
				d := l.Put("", []byte("garbage"))
				l.Blobs[d.Digest] = []byte("Garbage")
			})),
		bad("layer-missing", "blob-missing", "a layer is not there", hello(func(l *build.Layout) { delete(l.Blobs, layer(l)) })),
		bad("config-missing", "blob-missing", "a config is not there", hello(func(l *build.Layout) { delete(l.Blobs, config(l)) })),
		bad("root-missing", "blob-missing, unreferenced", "what an entry refers to is not there",
			hello(func(l *build.Layout) { delete(l.Blobs, root(l)) })),
		bad("no-blobs", "blob-missing", "there is no directory of blobs", hello(func(l *build.Layout) { clear(l.Blobs) })),
		bad("blob-is-directory", "blob-type", "a directory in place of a layer", hello(func(l *build.Layout) {
			l.Extra = append(l.Extra, build.Dir(build.BlobPath(layer(l))))
			delete(l.Blobs, layer(l))
		})),
		imports("refused", bad("link-nowhere", "blob-missing", "a layer is a symbolic link to what is not there", hello(func(l *build.Layout) {
			l.Extra = append(l.Extra, build.Symlink(build.BlobPath(layer(l)), "0"))
			delete(l.Blobs, layer(l))
		}))),
		layoutOf("marker-version", "unsupported", "", specMarker, "imageLayoutVersion is 2.0.0",
			hello(func(l *build.Layout) { l.OCILayout = []byte(`{"imageLayoutVersion":"2.0.0"}`) })),
		layoutOf("marker-text", "corrupt", "", specMarker, "oci-layout is not JSON",
			hello(func(l *build.Layout) { l.OCILayout = []byte("1.0.0") })),
		layoutOf("marker-twice", "corrupt", "json-ambiguous", specMarker, "oci-layout has its key twice",
			hello(func(l *build.Layout) {
				l.OCILayout = []byte(`{"imageLayoutVersion":"0.0.1","imageLayoutVersion":"1.0.0"}`)
			})),
	}
}

// brokenLayers have layers whose digests are right and whose insides are not.
// Import, which keeps the bytes of a layout's layers, does not look inside.
func brokenLayers() []vector.Vector {
	bad := func(name, problem, spec, comment string, l *build.Layout) vector.Vector {
		return imports("ok", layoutOf(name, "corrupt", problem, spec, comment, l))
	}
	layerOf := func(l build.Layer) *build.Layout { return image(build.Image{Layers: []build.Layer{l}}) }
	plain := build.Tar(build.Text("a", "hello"))
	return []vector.Vector{
		bad("diffid", "diffid", specDiffID, "a diffID of other bytes", image(build.Image{EditConfig: func(c *ocispec.Image) {
			c.RootFS.DiffIDs[0] = build.Descriptor("", []byte("other")).Digest
		}})),
		bad("diffid-of-blob", "diffid", specDiffID, "a diffID that is the digest of the compressed layer", diffIDOfBlob()),
		bad("diffid-count", "diffid", specDiffID, "two diffIDs and one layer", image(build.Image{EditConfig: func(c *ocispec.Image) {
			c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, c.RootFS.DiffIDs[0])
		}})),
		bad("gzip-truncated", "layer-format", specLayer, "a gzip stream without its end",
			hello(func(l *build.Layout) { editLayer(l, build.Compress("gzip", plain)[:60]) })),
		bad("gzip-checksum", "layer-format", specLayer, "a gzip stream with a wrong checksum",
			hello(func(l *build.Layout) { editLayer(l, flip(build.Compress("gzip", plain), -7)) })),
		bad("gzip-trailing", "layer-format", specLayer, "bytes after the end of a gzip stream",
			hello(func(l *build.Layout) { editLayer(l, append(build.Compress("gzip", plain), "trailing"...)) })),
		bad("zstd-truncated", "layer-format", specLayer, "a zstd stream without its end", zstdLayer(build.Compress("zstd", plain)[:40])),
		bad("layer-no-tar", "layer-format", specLayer, "a layer that is no tar", layerOf(build.Layer{Tar: bytes.Repeat([]byte("no tar "), 200)})),
		bad("layer-tar-cut", "layer-format", specLayer, "a tar that ends in the middle of a member", layerOf(build.Layer{Tar: plain[:515]})),
		bad("layer-tar-checksum", "layer-format", specLayer, "a tar header with a wrong checksum", layerOf(build.Layer{Tar: flip(plain, 0)})),
		bad("type-gzip-is-zstd", "media-type", specLayer, "a zstd layer under the type of gzip",
			layerOf(build.Layer{Tar: plain, Compression: "zstd", MediaType: ocispec.MediaTypeImageLayerGzip})),
		bad("type-gzip-is-plain", "media-type", specLayer, "a plain layer under the type of gzip",
			layerOf(build.Layer{Tar: plain, Compression: "none", MediaType: ocispec.MediaTypeImageLayerGzip})),
		bad("type-plain-is-gzip", "media-type", specLayer, "a gzip layer under the type of plain ones",
			layerOf(build.Layer{Tar: plain, MediaType: ocispec.MediaTypeImageLayer})),
		bad("zstd-bomb", "too-large", specLayer, "a zstd layer that expands 20,000 times",
			layerOf(build.Layer{Tar: zeros(96 << 20), Compression: "zstd"})),
		bad("zstd-window", "too-large", specLayer, "a zstd layer that asks for a window of 2 GiB",
			zstdLayer(hugeWindow)),
		layoutOf("layer-device", "ok", "", specLayer, "a device node, a hard link, an absolute name and an owner beyond 21 bits in a layer",
			layerOf(build.Layer{Files: []build.File{
				{Name: "dev/null", Type: tar.TypeChar, Major: 1}, build.Text("/etc/a", "a"), build.Hardlink("b", "/etc/a"),
				{Name: "c", UID: 1 << 30}, build.Symlink("d", "../../e"), build.Text("etc/.wh..wh..opq", ""),
			}})),
	}
}

func diffIDOfBlob() *build.Layout {
	return hello(func(l *build.Layout) {
		layer := manifest(l).Layers[0].Digest
		plain := build.Descriptor("", build.Tar(build.Dir("etc"), build.Text("etc/motd", "hello\n"))).Digest
		editConfig(l, func(text string) string { return replace(text, plain.String(), layer.String()) })
	})
}

// zstdLayer has data as its layer, under the type of zstd.
func zstdLayer(data []byte) *build.Layout {
	return hello(func(l *build.Layout) {
		editLayer(l, data)
		swapManifest("tar+gzip", "tar+zstd")(l)
	})
}

// zeros is a tar of one member of n zeros.
func zeros(n int) []byte { return build.Tar(build.File{Name: "zeros", Body: make([]byte, n)}) }
