package ingest

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// planLayout is read for a layout in a directory: nothing but manifests is read
// before it is known what is taken.
func (im *importer) planLayout(ctx context.Context, disk *layout.Reader) ([]root, error) {
	im.disk = disk
	if im.o.Rootfs {
		return nil, content.Errorf(content.ErrInvalid, "a root filesystem is read from a tar, not from a directory")
	}
	if err := im.checkCompress(); err != nil {
		return nil, err
	}
	var list *entries
	err := disk.View(ctx, func(x *layout.Index) error {
		list = &entries{} // View may begin again
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			list.add(e.Unshelved())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return im.planEntries(ctx, list)
}

// onDisk is lookup in the directory. The bytes are proven when they are read.
func (im *importer) onDisk(d content.Descriptor) (*member, error) {
	if !content.Verifiable(d.Digest) {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrUnsupported, "algorithm %s can't be verified", d.Digest.Algorithm()))
	}
	size, err := im.disk.Size(context.Background(), d.Digest)
	if err != nil {
		return nil, err
	}
	if size != d.Size {
		return nil, content.AtDigest(d.Digest, content.Errorf(content.ErrSize, "%d bytes, its descriptor says %d", size, d.Size))
	}
	return &member{stored: d.Digest, length: size, disk: true}, nil
}

// stageDisk stages what is wanted of the directory, several blobs at once.
func (im *importer) stageDisk(ctx context.Context) error {
	var total int64
	for _, size := range im.want {
		total += size
	}
	to := &together{to: content.ProgressFrom(ctx), event: content.Event{Op: "import", Name: im.source, Total: total}}
	g, gctx := errgroup.WithContext(content.WithProgress(ctx, silence{}))
	g.SetLimit(min(runtime.GOMAXPROCS(0), 4))
	for _, d := range slices.Sorted(maps.Keys(im.want)) {
		if _, made := im.blobs[d]; made {
			continue
		}
		g.Go(func() error {
			size := im.want[d]
			err := im.batch.PushFrom(gctx, im.disk, content.Descriptor{Digest: d, Size: size})
			if errors.Is(err, content.ErrNotFound) {
				return content.AtDigest(d, content.Errorf(content.ErrMissing, "is not in the layout any more"))
			}
			to.add(size)
			return err
		})
	}
	err := g.Wait()
	to.finish()
	return err
}

// silence drops the events of single blobs.
type silence struct{}

func (silence) Report(content.Event) {}

// together reports many pieces of work as one.
type together struct {
	to    content.Progress
	event content.Event // with nothing done
	done  atomic.Int64
}

func (t *together) add(n int64) { t.report(t.done.Add(n), false) }

func (t *together) finish() { t.report(t.done.Load(), true) }

func (t *together) report(done int64, finished bool) {
	ev := t.event
	ev.Done, ev.Finished = done, finished
	t.to.Report(ev)
}
