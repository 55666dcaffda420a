package layout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// TestGCBesideWriters has gc run without any grace beside 32 writers that name images
// which share layers, attach to them, and take the names away again, so that the same
// blobs are garbage and relied on in turns. What a name reaches must be there, always.
//
// It takes two seconds, or a minute with OCILAYOUT_TEST_LONG=1.
func TestGCBesideWriters(t *testing.T) {
	writers, took := 32, 2*time.Second
	if os.Getenv("OCILAYOUT_TEST_LONG") == "1" {
		took = time.Minute
	}
	dir := testkit.Layout(t, build.NewLayout())
	ctx, cancel := context.WithTimeout(t.Context(), took)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	var images, removed [64]int
	for i := range writers {
		group.Go(func() (err error) {
			images[i], err = writeImages(ctx, dir, i)
			return err
		})
	}
	for i := range 2 {
		group.Go(func() (err error) {
			removed[i], err = collectForever(ctx, dir)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	total, gone := 0, removed[0]+removed[1]
	for _, n := range images {
		total += n
	}
	t.Logf("%d images named, %d blobs removed", total, gone)
	if total == 0 || gone == 0 {
		t.Errorf("%d images named, %d blobs removed: that shows nothing", total, gone)
	}
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	collect(t, l, layout.GCOptions{})
}

func collectForever(ctx context.Context, dir string) (int, error) {
	removed := 0
	for ctx.Err() == nil {
		l, err := layout.Open(dir, layout.Options{NoSync: true, LockTimeout: -1})
		if err != nil {
			return removed, err
		}
		done, err := l.GC(ctx, layout.GCOptions{})
		removed += done.Removed.Count
		if err = errors.Join(err, l.Close()); err != nil && ctx.Err() == nil {
			return removed, err
		}
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
	}
	return removed, nil
}

// writeImages names images until the time is over, and says how many.
func writeImages(ctx context.Context, dir string, id int) (int, error) {
	n := 0
	for ; ctx.Err() == nil; n++ {
		l, err := layout.Open(dir, layout.Options{NoSync: true, LockTimeout: -1})
		if err != nil {
			return n, err
		}
		err = writeImage(ctx, l, fmt.Sprintf("w%d", id), n)
		if err = errors.Join(err, l.Close()); err != nil && ctx.Err() == nil {
			return n, fmt.Errorf("writer %d, image %d: %w", id, n, err)
		}
	}
	return n, nil
}

// writeImage brings in one image, looks whether all of it is there, and mostly takes
// its name away again.
func writeImage(ctx context.Context, l *layout.Layout, name string, n int) error {
	built := build.Blobs{}
	var layers []build.Layer
	for range 3 {
		layers = append(layers, build.Layer{Compression: "none", Files: []build.File{build.Text("n", fmt.Sprint(rand.IntN(12)))}})
	}
	image := built.Image(build.Image{Layers: layers, Platform: content.Platform{OS: "linux", Architecture: fmt.Sprint("a", rand.IntN(5))}})
	blobs := built.Digests()
	artifact := built.Artifact("a/b", &image, []byte(name))
	b := l.Batch()
	push := func(d content.Digest) error {
		desc := content.Descriptor{Digest: d, Size: int64(len(built[d]))}
		if d == artifact.Digest {
			desc = artifact // so that it is listed
		}
		if n%3 > 0 {
			return b.Push(ctx, desc, bytes.NewReader(built[d]))
		}
		// As oras.Copy does: what is there is relied on.
		there, err := l.Exists(ctx, desc)
		if err != nil || there {
			return err
		}
		return l.Push(ctx, desc, bytes.NewReader(built[d]))
	}
	for _, d := range blobs {
		if err := push(d); err != nil {
			return err
		}
	}
	if err := b.Publish(ctx); err != nil {
		return err
	}
	if err := tag(ctx, l, image, name); err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	for _, d := range built.Digests() {
		if n%3 == 0 && !slices.Contains(blobs, d) && d != artifact.Digest {
			if err := push(d); err != nil {
				return err
			}
		}
	}
	if n%3 == 0 {
		if err := push(artifact.Digest); err != nil {
			return err
		}
	}
	err := content.Walk(ctx, l.Reader, []content.Descriptor{image}, content.WalkOptions{}, func(n content.Node) error {
		_, err := content.FetchAll(ctx, l.Reader, n.Descriptor, 1<<20)
		return err
	})
	if err != nil || n%4 == 0 {
		return err
	}
	_, err = l.Untag(ctx, []layout.Reference{{Name: name}}, layout.UntagOptions{WithReferrers: n%2 == 0})
	return err
}
