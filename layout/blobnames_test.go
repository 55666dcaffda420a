package layout_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// TestBlobNames: the same files as Blobs yields, of a directory without the sizes of
// those that are no links.
func TestBlobNames(t *testing.T) {
	l := build.Hello()
	dir := testkit.Layout(t, l, testkit.BrokenOK)
	for name, make := range map[string]func(path string) error{
		"README":  func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"link":    func(path string) error { return os.Symlink("README", path) },
		"nowhere": func(path string) error { return os.Symlink("nothing", path) },
		build.Descriptor("", []byte("dir")).Digest.Encoded():  func(path string) error { return os.Mkdir(path, 0o755) },
		build.Descriptor("", []byte("link")).Digest.Encoded(): func(path string) error { return os.Symlink("README", path) },
	} {
		if err := make(filepath.Join(dir, "blobs", "sha256", name)); err != nil {
			t.Skip(err) // no right to make links
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "blobs", "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, testkit.Archive(t, "l.tar", l.Files()...)} {
		r, err := layout.OpenReader(path, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }() // only read
		var want []layout.Blob
		for b, err := range r.Blobs(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, b)
		}
		n := 0
		for b, err := range r.BlobNames(context.Background()) {
			if err != nil || n >= len(want) {
				t.Fatal(n, err)
			}
			w := want[n]
			if b.Path != w.Path || b.Digest != w.Digest || (b.Err == nil) != (w.Err == nil) || b.Size != w.Size && b.Size != -1 {
				t.Errorf("%+v, want %+v", b, w)
			}
			n++
		}
		if n != len(want) || n < 3 {
			t.Errorf("%d names of %d", n, len(want))
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for _, err := range r.BlobNames(ctx) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		}
	}
}
