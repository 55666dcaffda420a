package rootfs

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// An image is a manifest and its config, with their bytes.
type image struct {
	desc          content.Descriptor
	manifest      content.Manifest
	manifestBytes []byte
	config        ocispec.Image
	configBytes   []byte
}

func readImage(ctx context.Context, f content.Fetcher, desc content.Descriptor, limits content.Limits) (i image, err error) {
	i.desc = desc
	if i.manifest, i.manifestBytes, err = content.FetchManifest(ctx, f, desc, limits); err != nil {
		return i, err
	}
	if !i.manifest.IsImage() || i.manifest.Config == nil {
		return i, content.AtDigest(desc.Digest, content.Errorf(content.ErrUnsupported, "is no image and has no files"))
	}
	i.config, i.configBytes, err = content.FetchConfig(ctx, f, *i.manifest.Config, limits)
	return i, err
}

// layerType is the media type of a gzip layer in the image.
func (i image) layerType() string {
	if i.desc.MediaType == content.DockerManifest || i.manifest.MediaType == content.DockerManifest {
		return content.DockerLayerGzip
	}
	return ocispec.MediaTypeImageLayerGzip
}

// withLayer stages the config and manifest of the image with one more layer on top.
// All that says nothing of layers stays, byte for byte.
func (i image) withLayer(ctx context.Context, b *layout.Batch, layer content.Descriptor, diffID content.Digest, created time.Time, history string) (content.Descriptor, error) {
	config, err := i.editConfig(diffID, created, history)
	if err != nil {
		return content.Descriptor{}, content.AtDigest(i.manifest.Config.Digest, err)
	}
	pushed, err := b.PushBytes(ctx, i.manifest.Config.MediaType, config)
	if err != nil {
		return pushed, err
	}
	manifest, err := i.editManifest(pushed, layer)
	if err != nil {
		return pushed, content.AtDigest(i.desc.Digest, err)
	}
	return b.PushBytes(ctx, i.desc.MediaType, manifest)
}

// platform is what the image says that it runs on; nil if it says nothing.
func (i image) platform() *content.Platform {
	if i.config.OS == "" {
		return i.desc.Platform
	}
	platform := content.NormalizePlatform(i.config.Platform)
	return &platform
}

func (i image) editConfig(diffID content.Digest, created time.Time, history string) ([]byte, error) {
	config, err := rawjson.Parse(i.configBytes)
	if err != nil {
		return nil, err
	}
	rootfs, err := rawjson.Parse(config.Get("rootfs"))
	if err != nil {
		return nil, err
	}
	rootfs.Set("diff_ids", appended(rootfs.Get("diff_ids"), rawjson.Quote(diffID.String())))
	config.Set("rootfs", rootfs.Bytes())
	stamp := rawjson.Quote(created.UTC().Format(time.RFC3339Nano))
	config.Set("created", stamp)
	list := config.Get("history")
	switch {
	case len(i.config.History) > 0 || len(i.manifest.Layers) == 0:
	case history == "":
		return config.Bytes(), nil // a history of the last layer alone would be that of the first
	default:
		for range i.manifest.Layers {
			list = appended(list, json.RawMessage(`{"created_by":"unknown"}`))
		}
	}
	if history == "" {
		history = "ocilayout repack"
	}
	entry := &rawjson.Object{}
	entry.Set("created", stamp)
	entry.SetString("created_by", history)
	config.Set("history", appended(list, entry.Bytes()))
	return config.Bytes(), nil
}

func (i image) editManifest(config, layer content.Descriptor) ([]byte, error) {
	manifest, err := rawjson.Parse(i.manifestBytes)
	if err != nil {
		return nil, err
	}
	desc, err := rawjson.Parse(manifest.Get("config"))
	if err != nil {
		return nil, err
	}
	desc.SetString("digest", config.Digest.String())
	size, err := rawjson.Marshal(config.Size)
	if err != nil {
		return nil, err
	}
	desc.Set("size", size)
	desc.Delete("data") // of the config that was
	manifest.Set("config", desc.Bytes())
	entry, err := rawjson.Marshal(layer)
	if err != nil {
		return nil, err
	}
	manifest.Set("layers", appended(manifest.Get("layers"), entry))
	return manifest.Bytes(), nil
}

// appended is a JSON array with one more value at its end; none and null are empty.
func appended(array, value json.RawMessage) json.RawMessage {
	inner := bytes.TrimSpace(array)
	if len(inner) < 2 || inner[0] != '[' {
		inner = []byte("[]")
	}
	inner = bytes.TrimRight(inner[:len(inner)-1], " \t\r\n")
	out := append([]byte{}, inner...)
	if len(inner) > 1 {
		out = append(out, ',')
	}
	return append(append(out, value...), ']')
}
