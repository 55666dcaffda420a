package layout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
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
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	var images, removed atomic.Int64
	for i := range writers {
		group.Go(func() error { return writeImages(ctx, dir, i, &images) })
	}
	for range 2 {
		group.Go(func() error { return collectForever(ctx, dir, &removed) })
	}
	group.Go(func() error {
		defer cancel()
		// Until both have done something: a busy machine may keep gc waiting for long.
		for start := time.Now(); time.Since(start) < took || images.Load() == 0 || removed.Load() == 0; {
			if ctx.Err() != nil || time.Since(start) > took+time.Minute {
				return nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d images named, %d blobs removed", images.Load(), removed.Load())
	if images.Load() == 0 || removed.Load() == 0 {
		t.Error("that shows nothing")
	}
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	collect(t, l, layout.GCOptions{})
}

func collectForever(ctx context.Context, dir string, removed *atomic.Int64) error {
	for ctx.Err() == nil {
		l, err := layout.Open(dir, layout.Options{NoSync: true, LockTimeout: -1})
		if err != nil {
			return err
		}
		done, err := l.GC(ctx, layout.GCOptions{})
		removed.Add(int64(done.Removed.Count))
		if err = errors.Join(err, l.Close()); err != nil && ctx.Err() == nil {
			return err
		}
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
	}
	return nil
}

// writeImages names images until the time is over.
func writeImages(ctx context.Context, dir string, id int, images *atomic.Int64) error {
	for n := 0; ctx.Err() == nil; n++ {
		l, err := layout.Open(dir, layout.Options{NoSync: true, LockTimeout: -1})
		if err != nil {
			return err
		}
		err = writeImage(ctx, l, fmt.Sprintf("w%d", id), n)
		if err = errors.Join(err, l.Close()); err != nil && ctx.Err() == nil {
			return fmt.Errorf("writer %d, image %d: %w", id, n, err)
		}
		images.Add(1)
	}
	return nil
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

// collector removes what nothing reaches, to be killed at any moment.
func collector(dir string) error {
	l, err := layout.Open(dir, layout.Options{})
	if err != nil {
		return err
	}
	_, err = l.GC(context.Background(), layout.GCOptions{})
	return errors.Join(err, l.Close())
}

// TestKilledGC kills gc at random moments. No manifest may ever be there without what
// it refers to, named or not, and the next gc takes the rest.
func TestKilledGC(t *testing.T) {
	built := build.NewLayout()
	var all []content.Descriptor
	for i := range 300 {
		d := built.Image(build.Image{Annotations: map[string]string{"i": fmt.Sprint(i)}, Layers: []build.Layer{
			{Compression: "none", Files: []build.File{build.Text("n", fmt.Sprint(i))}},
		}})
		if i%10 == 0 {
			d = built.Index(d)
			built.Tag(fmt.Sprint("v", i), d)
		}
		all = append(all, d)
	}
	l := opened(t, built)
	before, killed := len(present(t, l)), 0
	for i := 0; i < 20 && len(present(t, l)) > 30*4; i++ {
		if killGC(t, l) {
			killed++
		}
		for _, d := range all {
			if ok, err := l.Reader.Exists(t.Context(), d); err != nil {
				t.Fatal(err)
			} else if !ok {
				continue
			}
			err := content.Walk(t.Context(), l.Reader, []content.Descriptor{d}, content.WalkOptions{}, func(n content.Node) error {
				ok, err := l.Reader.Exists(t.Context(), n.Descriptor)
				if err == nil && !ok {
					err = content.AtDigest(n.Digest, content.ErrMissing)
				}
				return err
			})
			if err != nil {
				t.Fatalf("with %d killed: %v", killed, err)
			}
		}
	}
	t.Logf("%d killed, %d of %d blobs left by then", killed, len(present(t, l)), before)
	if killed == 0 {
		t.Skip("gc was faster than what kills it")
	}
	collect(t, l, layout.GCOptions{})
	if left := len(present(t, l)); left != 30*4 {
		t.Errorf("%d blobs are left", left)
	}
}

// killGC kills a gc as soon as it has removed something; false if it was faster.
func killGC(t *testing.T, l *layout.Layout) bool {
	t.Helper()
	before := len(present(t, l))
	cmd := process(t, "collector", l.Path())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for len(present(t, l)) == before {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return false
		default:
		}
	}
	_ = cmd.Process.Kill() // it may have ended
	return <-ended != nil
}
