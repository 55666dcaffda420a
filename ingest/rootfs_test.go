package ingest_test

import (
	"archive/tar"
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

func TestRootfs(t *testing.T) {
	plain := build.Tar(append([]build.File{
		{Name: "dev/null", Type: tar.TypeChar, Major: 1}, build.Symlink("bin", "/usr/bin"), build.Hardlink("usr/again", "usr/big"),
	}, base.Files...)...)
	for _, format := range []string{"none", "gzip", "zstd", "xz"} {
		t.Run(format, func(t *testing.T) {
			archive := plain
			if format != "none" {
				archive = build.Compress(format, plain)
			}
			o := ingest.Options{
				Rootfs: true, Rename: "base", Created: time.Unix(1700000000, 0),
				Platform: content.Platform{OS: "linux", Architecture: "aarch64"},
			}
			l, result := mustImport(t, archive, o)
			m := manifestOf(t, l, "base")
			config, _, err := content.FetchConfig(context.Background(), l, *m.Config, content.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if want := []content.Digest{digest.FromBytes(plain)}; !slices.Equal(config.RootFS.DiffIDs, want) {
				t.Errorf("diffIDs are %v, want %v", config.RootFS.DiffIDs, want)
			}
			if config.Architecture != "arm64" || config.Created.Unix() != 1700000000 || len(config.History) != 1 {
				t.Errorf("config is %+v", config)
			}
			wantType := ocispec.MediaTypeImageLayerGzip
			if format == "zstd" {
				wantType = ocispec.MediaTypeImageLayerZstd
			}
			if m.Layers[0].MediaType != wantType || result.Images[0].Platform != "linux/arm64" {
				t.Errorf("layer is %s, image %+v", m.Layers[0].MediaType, result.Images[0])
			}
		})
	}
}

// TestRootfsAlwaysTheSame: without a time the same archive makes the same image.
func TestRootfsAlwaysTheSame(t *testing.T) {
	archive := base.Plain()
	first, _ := mustImport(t, archive, ingest.Options{Rootfs: true, Compress: ingest.NoCompression})
	second, _ := mustImport(t, archive, ingest.Options{Rootfs: true, Compress: ingest.NoCompression})
	if !bytes.Equal(indexFile(t, first), indexFile(t, second)) {
		t.Error("two imports differ")
	}
	if !slices.Contains(blobs(t, first), digest.FromBytes(archive)) {
		t.Error("the plain layer is not the archive")
	}
}

func TestRootfsRefused(t *testing.T) {
	o := ingest.Options{Rootfs: true}
	refuse(t, build.Tar(build.Text("a", "a"), build.Hardlink("b", "../../a")), o, content.ErrRefused)
	plain := base.Plain()
	gz := build.Compress("gzip", plain)
	refuse(t, plain[:len(plain)/2], o, content.ErrCorrupt, "truncated")
	refuse(t, gz[:len(gz)/2], o, content.ErrCorrupt, "truncated")
	refuse(t, build.Random(5, 4096), o, content.ErrCorrupt)
	refuse(t, nil, o, content.ErrCorrupt)
	refuse(t, build.Tar(build.Text("../evil", "")), o, content.ErrRefused, "../evil")
	refuse(t, build.Compress("zstd", make([]byte, 3<<20)), ingest.Options{Rootfs: true, Limits: content.Limits{Layer: 1 << 20}}, content.ErrRefused)
	refuse(t, plain, ingest.Options{Rootfs: true, Names: []string{"x"}}, content.ErrInvalid)
}
