package layout

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// A writer that begins to rely on a manifest when gc has judged it keeps what it
// reaches as well, though a link holds the manifest alone.
func TestHeldWhileBlobsGo(t *testing.T) {
	ctx := t.Context()
	l, err := Init(ctx, filepath.Join(t.TempDir(), "l"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	made, err := l.Create(ctx, "app", []content.Platform{{OS: "linux", Architecture: "amd64"}}, Fail)
	if err != nil {
		t.Fatal(err)
	}
	image, err := l.Resolve(ctx, "app")
	if err != nil || image.Digest != made.New {
		t.Fatal(image, err)
	}
	c := &collector{l: l, report: Collection{}, mark: newMarker(l.Reader)}
	defer c.close()
	if c.dirs, err = openBlobFiles(l.path); err != nil {
		t.Fatal(err)
	}
	var gone []unreached
	for _, dir := range c.dirs {
		for _, name := range dir.names {
			info, err := dir.root.Lstat(name)
			if err != nil {
				t.Fatal(err)
			}
			if durable.StampOf(info).CtimeNs == 0 {
				t.Skip("this system does not show that a file got a link")
			}
			gone = append(gone, unreached{dir: dir, name: name, digest: dir.digest(name), info: info})
		}
	}
	time.Sleep(20 * time.Millisecond) // the clock of the filesystem may stand for a while
	b := l.Batch()
	t.Cleanup(func() { _ = b.Close() })
	if there, err := b.Exists(ctx, image); err != nil || !there {
		t.Fatal(there, err)
	}
	if err := c.remove(ctx, gone); err != nil {
		t.Fatal(err)
	}
	if c.report.Removed.Count != 0 || c.report.KeptByLease.Count != len(gone) || len(gone) != 2 {
		t.Errorf("of %d blobs: %+v", len(gone), c.report)
	}
}
