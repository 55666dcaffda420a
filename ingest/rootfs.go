package ingest

import (
	"archive/tar"
	"context"
	"io"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// rootfs makes an image of one layer, which is the whole archive, and of a config
// that says no more than it must.
func (im *importer) rootfs(ctx context.Context, in *input) ([]root, error) {
	check := newTarCheck(tarx.Limits{MaxMembers: im.o.Limits.Members})
	im.tap = check
	m := &member{name: in.name}
	err := im.storeLayer(ctx, m, in.format, in.raw)
	if checkErr := check.finish(err); checkErr != nil {
		return nil, checkErr
	}
	if err != nil {
		return nil, err
	}
	im.blobs[m.stored] = m
	im.keep(m)
	data, err := rawjson.Marshal(im.rootfsConfig(m.layer.diffID))
	if err != nil {
		return nil, err
	}
	conf := im.make(data)
	entry, err := im.addManifest(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    content.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: conf.stored, Size: conf.length},
		Layers:    []content.Descriptor{{MediaType: m.layer.mediaType, Digest: m.stored, Size: m.length}},
	}, im.o.Platform)
	if err != nil {
		return nil, err
	}
	return []root{{raw: entry.Raw}}, nil
}

func (im *importer) rootfsConfig(diffID content.Digest) ocispec.Image {
	var created *time.Time
	if !im.o.Created.IsZero() {
		t := im.o.Created.UTC()
		created = &t
	}
	return ocispec.Image{
		Created:  created,
		Platform: im.o.Platform,
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{diffID}},
		History:  []ocispec.History{{Created: created, CreatedBy: "ocilayout import --rootfs"}},
	}
}

// A tarCheck reads the archive that is written to it, in a goroutine of its own,
// and says at the end whether it was whole. Writing to it never fails.
type tarCheck struct {
	to   *io.PipeWriter
	done chan error
	n    int64
}

func newTarCheck(limits tarx.Limits) *tarCheck {
	from, to := io.Pipe()
	c := &tarCheck{to: to, done: make(chan error, 1)}
	go func() {
		err := checkTar(from, limits)
		_, _ = io.Copy(io.Discard, from) // the writer is not the one to be told
		c.done <- err
	}()
	return c
}

func checkTar(r io.Reader, limits tarx.Limits) error {
	tr := tarx.NewReader(r, limits)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil && h.Typeflag == tar.TypeLink {
			_, err = tarx.MemberName(h.Linkname)
		}
		if err != nil {
			return err
		}
	}
}

func (c *tarCheck) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.to.Write(p)
}

// finish ends the archive, with the error that cut it short, if there was one, and
// gives the verdict.
func (c *tarCheck) finish(cut error) error {
	_ = c.to.CloseWithError(cut)
	err := <-c.done
	if cut != nil {
		return cut
	}
	if err == nil && c.n < tarx.BlockSize {
		return content.Errorf(content.ErrCorrupt, "is empty or no tar archive")
	}
	return err
}
