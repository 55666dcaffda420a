package export_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// counted counts how often the blobs of a layout are read.
type counted struct {
	*layout.Reader
	mu    sync.Mutex
	reads map[content.Digest]int
}

func (c *counted) count(d content.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads[d]++
}

// ReadSmall counts a read that is one.
func (c *counted) ReadSmall(d content.Digest, buf []byte) (int, bool) {
	n, ok := c.Reader.ReadSmall(d, buf)
	if ok {
		c.count(d)
	}
	return n, ok
}

// ReaderAt counts.
func (c *counted) ReaderAt(ctx context.Context, d content.Digest) (layout.BlobAt, error) {
	c.count(d)
	return c.Reader.ReaderAt(ctx, d)
}

// Fetch counts.
func (c *counted) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	c.count(d.Digest)
	return c.Reader.Fetch(ctx, d)
}

// many is a layout of n small images.
func many(n int) *build.Layout {
	l := build.NewLayout()
	for i := range n {
		l.Tag(fmt.Sprintf("docker.io/library/app:v%d", i), l.Image(build.Image{
			Layers: []build.Layer{{Compression: "none", Files: []build.File{{Name: "f", Body: build.Random(uint64(i), 100)}}}}}))
	}
	return l
}

// TestReadsBlobsOnce: what is small is read once, to look at it and to write it.
func TestReadsBlobsOnce(t *testing.T) {
	l := many(50)
	src := &counted{Reader: open(t, l), reads: map[content.Digest]int{}}
	if _, err := export.ToWriter(context.Background(), io.Discard, []export.Root{{Source: src}}, export.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(src.reads) != len(l.Blobs) {
		t.Errorf("%d blobs were read, there are %d", len(src.reads), len(l.Blobs))
	}
	for d, n := range src.reads {
		if n != 1 {
			t.Errorf("%s was read %d times", d, n)
		}
	}
}

// BenchmarkManySmall exports 1,000 images of three small blobs each.
func BenchmarkManySmall(b *testing.B) {
	dir := b.TempDir()
	if err := many(1000).WriteDir(dir); err != nil {
		b.Fatal(err)
	}
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := export.ToWriter(context.Background(), io.Discard, []export.Root{{Source: r}}, export.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
